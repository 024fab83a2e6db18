// What a model and a checkpoint are made of, on the terminal.
//
// since 01_module
#pragma once

#include <string>

#include "common/nn/module.h"

namespace gpt2::app {

// A line for every parameter with its shape, then their number, with and without the output layer: the
// published size of GPT-2 counts lm_head.weight and transformer.wte.weight, which are one matrix, once.
void print_parameters(const nn::Module& model);

// A line for every tensor of a Hugging Face directory: name, dtype, shape, mean, standard deviation. Writes the
// position embeddings as a grey-scale picture to the file `picture`: a row for each position, a column for each channel.
void explore(const std::string& directory, const std::string& picture);

}  // namespace gpt2::app
