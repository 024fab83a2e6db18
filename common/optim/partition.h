// How the ranks of ZeRO-1 (Rajbhandari et al. 2020, "ZeRO: memory optimizations toward training trillion parameter
// models", stage 1) divide the block of parameters: each rank keeps moments and master weights of its part only, and
// updates only that.
//
// The block is cut into slices of about 25 MB, and each slice into one part for each rank. So a slice's gradients can be
// added up and scattered as soon as they are final, as the buckets of common/dist/ddp.h. Parts are whole chunks of the
// gradient norm (common/kernels/global_norm.h). What is left at the end of the block, less than a chunk for each rank, is
// not divided: every rank keeps and updates it.
//
// since 17_zero
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/kernels/global_norm.h"

namespace gpt2::optim {

struct Range {
  int64_t begin, end;  // values of the block

  int64_t size() const { return end - begin; }
  bool operator==(const Range&) const = default;
};

class Partition {
 public:
  // A block of n values on `world_size` ranks. With one rank, the whole block is that rank's.
  Partition(int64_t n, int rank, int world_size, int64_t slice = kSlice)
      : n_(n),
        rank_(rank),
        world_size_(world_size),
        part_(world_size == 1 ? 0 : std::max<int64_t>(1, slice / world_size / kNormChunk) * kNormChunk) {}

  // The slices that are divided, each into world_size equal parts; the last one may be smaller than the others.
  std::vector<Range> slices() const {
    std::vector<Range> slices;
    for (int64_t begin = 0; begin < divided();) {
      const int64_t end = std::min(begin + part_ * world_size_, divided());
      slices.push_back({begin, end});
      begin = end;
    }
    return slices;
  }

  // What every rank keeps; may be empty.
  Range undivided() const { return {divided(), n_}; }

  // What rank `of` keeps, in ascending order.
  std::vector<Range> parts(int of) const {
    std::vector<Range> parts;
    for (const Range& slice : slices()) {
      const int64_t part = slice.size() / world_size_;
      parts.push_back({slice.begin + of * part, slice.begin + (of + 1) * part});
    }
    if (undivided().size() > 0) parts.push_back(undivided());
    return parts;
  }
  std::vector<Range> parts() const { return parts(rank_); }

  // The number of values that this rank keeps.
  int64_t size() const {
    int64_t size = 0;
    for (const Range& part : parts()) size += part.size();
    return size;
  }

  int64_t block_size() const { return n_; }
  int rank() const { return rank_; }
  int world_size() const { return world_size_; }

 private:
  static constexpr int64_t kSlice = int64_t{12} << 20;  // values: 24 MB of bf16

  int64_t divided() const {
    return part_ == 0 ? 0 : n_ / (kNormChunk * world_size_) * (kNormChunk * world_size_);
  }

  int64_t n_;
  int rank_, world_size_;
  int64_t part_;  // of a whole slice; 0: nothing is divided
};

}  // namespace gpt2::optim
