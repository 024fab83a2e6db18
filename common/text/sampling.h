// Choosing the next token from a model's probabilities, with torch's functions and torch's random numbers.
//
// These run on the host and return tensors there: a row of probabilities is small, and the same seed gives
// the same ids whatever device the model is on.
//
// since 03_sampling
#pragma once

#include "common/tensor/random.h"
#include "common/tensor/tensor.h"

namespace gpt2 {

// The k largest values of each row of x (B, V), largest first, and their columns: two tensors (B, min(k, V)). Of
// equal values the one further left comes first. NaN counts as the largest value, as in torch.
struct TopK {
  Tensor values;
  Tensor indices;  // int32
};
TopK topk(const Tensor& x, int64_t k);

// One column for each row of p (B, K), drawn with probability proportional to p: argmax of p / q, where q is
// exponential, as torch.multinomial(p, 1) draws it -> (B, 1) int32. Throws, as torch does, if a probability is
// infinite, NaN or negative, or if a row has no probability above 0.
Tensor multinomial(const Tensor& p, Generator& generator);

}  // namespace gpt2
