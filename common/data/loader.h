// The video's DataLoaderLite: a text as one long sequence of ids, returned in batches from beginning to end.
//
// since 04_overfit
#pragma once

#include <cstdint>
#include <vector>

#include "common/tensor/tensor.h"

namespace gpt2 {

struct Batch {
  Tensor x;  // (B, T) ids
  Tensor y;  // (B, T) the next ids: y[b][t] is the token after x[b][t]
};

class DataLoaderLite {
 public:
  // Throws if there are too few ids for one batch, which needs B * T + 1: the inputs and one more target.
  DataLoaderLite(std::vector<int32_t> tokens, int64_t B, int64_t T, Device device);

  // Returns the next B * T tokens, in tensors that the next call overwrites. Starts over when too few are
  // left.
  Batch next_batch();
  void reset() { position_ = 0; }

  int64_t B() const { return batch_.x.size(0); }
  int64_t T() const { return batch_.x.size(1); }
  int64_t num_tokens() const { return int64_t(tokens_.size()); }
  int64_t batches_per_epoch() const { return num_tokens() / batch_.x.numel(); }

 private:
  std::vector<int32_t> tokens_;
  int64_t position_ = 0;
  Batch batch_;
};

}  // namespace gpt2
