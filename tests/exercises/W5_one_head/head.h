#pragma once

#include "common/nn/layers.h"

// One head of causal self-attention.
struct Head : gpt2::nn::Module {
  Head(int64_t n_embd, int64_t head_size)
      : key(this, "key", n_embd, head_size, gpt2::nn::Linear::Bias::no),
        query(this, "query", n_embd, head_size, gpt2::nn::Linear::Bias::no),
        value(this, "value", n_embd, head_size, gpt2::nn::Linear::Bias::no) {}

  // x (B, T, C) -> the scaled scores (B, T, T), before the mask; row t: the query of position t
  gpt2::Tensor scores(const gpt2::Tensor& x) const;

  // x (B, T, C) -> (B, T, hs)
  gpt2::Tensor operator()(const gpt2::Tensor& x) const;

  gpt2::nn::Linear key, query, value;
};
