#pragma once

#include <map>
#include <string>

#include "common/tensor/tensor.h"

using Tensors = std::map<std::string, gpt2::Tensor>;

// What is tested: returns the parameters of our GPT-2 for the tensors of a Hugging Face file.
//   In the file, attn.c_attn, attn.c_proj, mlp.c_fc and mlp.c_proj have weights (in, out), and names without
//   "transformer.": "wte.weight", "h.0.attn.c_attn.weight", ...
//   The model has weights (out, in), and names with "transformer.". It has "lm_head.weight" too, equal to
//   "transformer.wte.weight".
Tensors load_gpt2(const Tensors& file);

// A file with all names and shapes, full of zeros: n_layer blocks, C channels, V tokens, T positions.
Tensors file_of_zeros(int64_t n_layer, int64_t C, int64_t V, int64_t T);

// What the student writes: an empty string if load_gpt2 is right, otherwise what is wrong with it.
std::string check_loader();
