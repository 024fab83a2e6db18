// Given: token ids in several shards, and the random numbers that fix the order of an epoch.
#pragma once

#include <vector>

#include "common/base/error.h"
#include "common/data/token_loader.h"

// Counts the ids that are read.
class Shards {
 public:
  explicit Shards(std::vector<std::vector<int32_t>> shards) : shards_(std::move(shards)) {}

  int64_t count() const { return int64_t(shards_.size()); }
  int64_t size(int64_t shard) const { return int64_t(shards_.at(size_t(shard)).size()); }
  std::vector<int32_t> read(int64_t shard, int64_t begin, int64_t n) const {
    gpt2::require(begin >= 0 && begin + n <= size(shard), "ids {} to {} of shard {} are read, which has {}",
                  begin, begin + n - 1, shard, size(shard));
    ids_read_ += n;
    const auto first = shards_[size_t(shard)].begin() + begin;
    return {first, first + n};
  }
  int64_t ids_read() const { return ids_read_; }

 private:
  std::vector<std::vector<int32_t>> shards_;
  mutable int64_t ids_read_ = 0;
};

// A random number that depends on three others.
inline uint64_t mixed(uint64_t seed, int64_t epoch, int64_t shard) {
  uint64_t x = seed * 0x9e3779b97f4a7c15 + uint64_t(epoch) * 0xbf58476d1ce4e5b9 + uint64_t(shard);
  for (const int shift : {30, 27, 31}) x = (x ^ x >> shift) * 0x94d049bb133111eb;
  return x ^ x >> 32;
}

// Where the first window of a shard begins in this epoch: 0 ... T - 1.
inline int64_t first_window(uint64_t seed, int64_t epoch, int64_t shard, int64_t T) {
  return int64_t(mixed(seed, epoch, shard) % uint64_t(T));
}

// The rows of an epoch are its windows in random order: the number of the window that is row `row` of `rows`.
inline int64_t shuffled(uint64_t seed, int64_t epoch, int64_t rows, int64_t row) {
  gpt2::require(row >= 0 && row < rows, "row {} of epoch {} is read, which has {} rows", row, epoch, rows);
  return int64_t(gpt2::Permutation(uint64_t(rows), mixed(seed, epoch, -1))(uint64_t(row)));
}
