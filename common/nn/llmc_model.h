// llm.c's model file: GPT-2's weights in one .bin file, as its train_gpt2.py and its training programs write them.
//
// The file begins with 256 int32 (the magic number 20240326, version 3 for float32 or 5 for bf16, the sizes). The
// parameters follow, each for all layers together. Linear layers are (out, in) as in our modules, not transposed as in
// a Hugging Face file. The token embedding is also the output layer; it is padded with rows of zeros to a multiple of
// 128. Everything is little-endian. The file has no tokenizer: llm.c trains GPT-2's vocabulary only.
//
// A file is never trusted: its size must be exactly what the header says.
//
// since 02_hf_weights
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "common/data/safetensors.h"
#include "common/nn/hf_config.h"
#include "common/nn/module.h"
#include "common/tensor/dtype.h"

namespace gpt2::nn {

// Returns whether `path` is a file whose name ends in .bin: --model reads it as llm.c's.
bool is_llmc_model(const std::string& path);

struct LlmcModel {
  HfConfig config;
  // The parameters, named and shaped as in our modules; wte without its padding.
  std::vector<SafetensorsEntry> entries;
};

// Parses the bytes of a whole file, which must outlive the result. Throws if they are invalid, or if a padded row of the
// embedding is not zero; messages begin with `where`.
LlmcModel parse_llmc_model(std::span<const std::byte> file, const std::string& where);

// Overwrites every parameter of `model` with the file's, converted to the parameter's type. Vocabulary rows that are missing in the
// file become zero. Throws if the file is invalid, has another shape than the model, or a value that is not finite; the
// message names the tensor.
void load_llmc(Module& model, const std::string& path);

// Writes such a file, all or nothing (AtomicFile); float32, or bf16 rounded to nearest. Throws if `config` asks for
// something that llm.c does not have (an output layer of its own, another epsilon), or if a value is not finite.
void save_llmc(const Module& model, const HfConfig& config, const std::string& path, DType dtype);

// A module that has GPT-2's parameters and no forward pass, for converting files. All values are zero.
class Gpt2Weights : public Module {
 public:
  explicit Gpt2Weights(const HfConfig& config);

 private:
  std::vector<Tensor> tensors_;
};

}  // namespace gpt2::nn
