// Given: a model with one table, and its batches.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/ops/ops.h"

inline constexpr int32_t kNoTarget = -1;  // the target of padding

// Token ids, and for each the id that follows it, or kNoTarget. The sequences stand one behind the other.
struct MicroBatch {
  std::vector<int32_t> x, y;
};

// The logits of the next token are the token's row of a table (V, V).
class Bigram {
 public:
  explicit Bigram(const gpt2::Tensor& logits) : table(logits) { table.set_requires_grad(); }

  // The mean loss over the positions that have a target; NaN, as torch has it, if there are none.
  gpt2::Tensor loss(const MicroBatch& batch) {
    largest_batch = std::max(largest_batch, int64_t(batch.x.size()));
    std::vector<int32_t> x, y;
    for (size_t i = 0; i < batch.x.size(); ++i) {
      if (batch.y[i] != kNoTarget) x.push_back(batch.x[i]), y.push_back(batch.y[i]);
    }
    if (x.empty()) return mean_loss({0}, {0}) * NAN;
    return mean_loss(x, y);
  }

  gpt2::Tensor table;
  int64_t largest_batch = 0;  // positions of the largest batch so far

 private:
  gpt2::Tensor mean_loss(const std::vector<int32_t>& x, const std::vector<int32_t>& y) const {
    const auto n = int64_t(x.size());
    return gpt2::cross_entropy(gpt2::embedding(table, gpt2::from_vector(x, {n})), gpt2::from_vector(y, {n}));
  }
};
