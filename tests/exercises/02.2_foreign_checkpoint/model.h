#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/tensor/tensor.h"

using Tensors = std::map<std::string, gpt2::Tensor>;

// Our GPT-2, as in steps/02_hf_weights: the logits (T, V) of T ids. Its parameters have the names of chapter 01, and its
// linear layers have weights (out, in). The rows of c_attn.weight are the queries of all heads, then the keys of all
// heads, then the values. Throws if a parameter is missing.
gpt2::Tensor logits_of(const Tensors& parameters, int64_t n_head, const std::vector<int32_t>& ids);
