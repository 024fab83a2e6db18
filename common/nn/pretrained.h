// Weights from a Hugging Face directory into a model whose parameter names are the checkpoint's keys, and back.
//
// Three things differ between the file and the model. The file's linear layers are transposed: GPT-2 was
// written with TensorFlow's Conv1D, whose weight is (in, out). Old files carry the causal mask as tensors,
// attn.bias and attn.masked_bias: they are no parameters and are skipped. And GPT2Model alone, without its
// head, writes its names without "transformer.".
//
// since 02_hf_weights
#pragma once

#include <string>

#include "common/nn/hf_config.h"
#include "common/nn/module.h"

namespace gpt2::nn {

// Overwrites every parameter of `model` with the tensor of that name in `directory`, as float32. Rows of the
// vocabulary's matrices (since 09_vocab) and hidden channels of the MLP that the file does not have become zero; such
// hidden channels add nothing and get no gradient. If config.json scales attention scores in another way than the
// model does, the queries' weights are multiplied with the difference. A model with a lm_head.weight of its own gets
// transformer.wte.weight where config.json ties the two.
// Throws if a tensor is missing, not known to the model, of another shape, or not finite, or if lm_head.weight is
// stored and differs from what it is tied to; the message names the tensor.
void load(Module& model, const std::string& directory);

// Writes config.json and model.safetensors, which transformers' GPT2LMHeadModel and load() open, into a folder that
// exists: float32, without the rows and hidden channels that config does not have.   since 13_fineweb
void save(const Module& model, const HfConfig& config, const std::string& directory);

}  // namespace gpt2::nn
