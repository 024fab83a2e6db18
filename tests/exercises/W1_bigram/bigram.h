#pragma once

#include "common/nn/layers.h"

// Predicts the next id from the last one alone.
struct Bigram : gpt2::nn::Module {
  explicit Bigram(int64_t vocab_size);

  // ids (...) -> the logits of the id that follows each of them (..., V)
  gpt2::Tensor operator()(const gpt2::Tensor& ids) const;

  // The mean cross entropy of ids[1], ids[2], ..., each predicted from the id before it; ids: (N), N >= 2.
  gpt2::Tensor loss(const gpt2::Tensor& ids) const;

  gpt2::nn::Embedding table;  // row i: the logits of what follows id i
};
