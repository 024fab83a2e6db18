#pragma once

#include "common/tensor/random.h"
#include "common/tensor/tensor.h"

// Draws one id for each row of logits (B, V), with the probabilities softmax(logits / temperature) -> (B, 1)
// int32. temperature > 0; at least one logit of a row is finite, and a logit of -inf has probability 0. Takes B * V
// exponential numbers from the generator, row by row, and no others.
gpt2::Tensor sample(const gpt2::Tensor& logits, double temperature, gpt2::Generator& generator);
