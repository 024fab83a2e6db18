#pragma once

#include <cmath>
#include <vector>

#include "common/ops/ops.h"

// The weights of all heads, one below the other: each is (n_head * hs, C).
struct HeadWeights {
  int64_t n_head;
  gpt2::Tensor query, key, value;
};

// x (B, T, C) -> (B, T, n_head * hs): the outputs of the heads, side by side. To be written, without a loop.
gpt2::Tensor heads_at_once(const gpt2::Tensor& x, const HeadWeights& weights);

// The same, head by head: a matrix product for each. Returns the heads' outputs, (B, T, hs) each.
inline std::vector<gpt2::Tensor> heads_one_by_one(const gpt2::Tensor& x, const HeadWeights& weights) {
  using namespace gpt2;
  const int64_t hs = weights.query.size(0) / weights.n_head;
  std::vector<Tensor> outputs;
  for (int64_t h = 0; h < weights.n_head; ++h) {
    const Tensor q = linear(x, weights.query.slice(0, h * hs, hs), {});         // (B, T, hs)
    const Tensor k = linear(x, weights.key.slice(0, h * hs, hs), {});           // (B, T, hs)
    const Tensor v = linear(x, weights.value.slice(0, h * hs, hs), {});         // (B, T, hs)
    const Tensor att = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(hs));  // (B, T, T)
    outputs.push_back(matmul(softmax(causal_mask(att)), v));                    // (B, T, hs)
  }
  return outputs;
}
