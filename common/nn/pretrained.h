// Weights from a Hugging Face directory into a model whose parameter names are the checkpoint's keys.
//
// Three things differ between the file and the model. The file's linear layers are transposed: GPT-2 was
// written with TensorFlow's Conv1D, whose weight is (in, out). Old files carry the causal mask as tensors,
// attn.bias and attn.masked_bias: they are no parameters and are skipped. And GPT2Model alone, without its
// head, writes its names without "transformer.".
//
// since 02_hf_weights
#pragma once

#include <string>

#include "common/nn/module.h"

namespace gpt2::nn {

// Overwrites every parameter of `model` with the tensor of that name in `directory`; F16 and BF16 are widened.
// The vocabulary's matrices may have more rows than the file, which are then zero: padding, since 09_vocab.
// A model with a lm_head.weight of its own gets transformer.wte.weight where the file ties the two.
// Fails on a missing tensor, one that the model does not know, or one whose shape is another, and names it.
void load(Module& model, const std::string& directory);

}  // namespace gpt2::nn
