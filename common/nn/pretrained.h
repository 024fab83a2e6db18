// Loads weights from a Hugging Face directory into a model, and saves them. The names of the model's
// parameters are the keys of the checkpoint.
//
// The file differs from the model in three ways. The linear layers in the file are transposed, because GPT-2
// was written in TensorFlow with Conv1D layers, whose weight is (in, out). Old files contain the causal mask
// as the tensors attn.bias and attn.masked_bias; they are not parameters and are skipped. A GPT2Model saved
// without its head has names without "transformer.".
//
// since 02_hf_weights
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/data/safetensors.h"
#include "common/nn/hf_config.h"
#include "common/nn/module.h"

namespace gpt2::nn {

// Overwrites every parameter of `model` with the tensor of that name in `directory`, converted to float32.
// Vocabulary rows (since 09_vocab) and hidden channels of the MLP that are missing in the file become zero;
// such hidden channels contribute nothing and get no gradient. If config.json sets another scale of the
// attention scores than the model uses, the weights of the queries are multiplied by the ratio. If
// config.json ties lm_head.weight to transformer.wte.weight but the model does not, lm_head.weight gets a
// copy. Throws if a tensor is missing, unknown to the model, of the wrong shape or not finite, or if the file
// stores a lm_head.weight that differs from the matrix it is tied to; the message names the tensor. Throws if a file of a
// checkpoint differs from its digest, or is written to meanwhile. `directory` may also be llm.c's model file (load_llmc).
void load(Module& model, const std::string& directory);

// A directory whose files are open: what was compared is what is loaded, even if other files get their names.
// since 13_fineweb
struct OpenModel {
  std::string directory;
  HfConfig config;
  SafetensorsCheckpoint weights;
};

// Throws if a file that is there differs from its digest.   since 13_fineweb
OpenModel open_model(const std::string& directory, const FileDigests& digests);

void load(Module& model, const OpenModel& source);

// Writes config.json and model.safetensors (float32) into an existing folder. transformers' GPT2LMHeadModel
// and load() can read them. Rows and hidden channels beyond the sizes in `config` are left out. Returns the
// digest of each file (common/base/digest.h). Throws before it writes a weight that is not finite; the
// message names the tensor.   since 13_fineweb
std::map<std::string, uint64_t> save(const Module& model, const HfConfig& config,
                                     const std::string& directory);

}  // namespace gpt2::nn
