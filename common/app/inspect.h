// Prints the tensors of a model or a checkpoint.
//
// since 01_module
#pragma once

#include <string>
#include <vector>

#include "common/nn/module.h"

namespace gpt2::app {

// Prints each parameter's name and shape, then the number of parameters with and without the output layer:
// the published size of GPT-2 counts lm_head.weight and transformer.wte.weight, which are one matrix, once.
void print_parameters(const nn::Module& model);

// Returns the values of the model's output. Throws if one is infinite or NaN.
std::vector<float> finite_values(const Tensor& logits);

// Prints a line for every tensor of a Hugging Face directory: name, dtype, shape, mean, standard deviation.
// Writes the position embeddings to the file `picture` as a grey-scale image: one row per position, one
// column per channel.
void explore(const std::string& directory, const std::string& picture);

}  // namespace gpt2::app
