#pragma once

#include "shards.h"

using Window = std::vector<int32_t>;  // T + 1 ids

// Batches of windows for one rank. See README.md for the order.
class Loader {
 public:
  struct Settings {
    int64_t B, T;
    uint64_t seed;
    int rank = 0, world = 1;
  };
  // The next row of the sequence; the same on all ranks.
  struct State {
    int64_t epoch = 0, position = 0;
    bool operator==(const State&) const = default;
  };

  Loader(const Shards& shards, const Settings& settings) : shards_(shards), settings_(settings) {}

  std::vector<Window> next_batch();  // this rank's next B windows

  const State& state() const { return state_; }
  void restore(
      const State& state);  // the next batch begins there; B, rank and world may be others than before

 private:
  int64_t windows(int64_t epoch, int64_t shard) const;  // of a shard
  int64_t rows(int64_t epoch) const;                    // the windows of all shards
  State after(State at, int64_t n) const;               // n rows further on, perhaps in a later epoch
  Window read(State at) const;                          // the window of this row

  const Shards& shards_;
  Settings settings_;
  State state_;
};
