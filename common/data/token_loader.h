// The batch loader for long runs: reads token shards, or a text in memory, in one of two orders, for any
// number of ranks.
//
// A window is T inputs and the T ids that follow them; a window begins every T ids, so each id of a source is
// an input once and a target once, except for a tail shorter than a window. An epoch is a sequence of
// windows, its rows. A batch of B rows on each of `world` ranks takes the next B * world rows of the
// sequence, the first B for rank 0. So all ranks together get the rows that a single rank with batch size B *
// world would get.
//
//   shuffled  all windows of all sources once per epoch, in an order drawn for each epoch from the seed.
//             It does not depend on B or world. The batch that crosses the end of an epoch is filled from the
//             next.
//   video     the video's DataLoaderLite: one source after another, from beginning to end. The windows that
//             do not fill a batch on all ranks are skipped, and all ranks go to the next source at the same
//             step. (In the video's code each rank wraps at a step that depends on its offset, so ranks end
//             up on different shards.)
//
// The state is two numbers, the same on every rank. A loader with a restored state continues exactly where
// the other stopped.
//
// since 12_ddp
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/data/loader.h"
#include "common/data/shards.h"

namespace gpt2 {

enum class DataOrder : uint8_t { shuffled, video };

// A permutation of 0 .. n-1 that needs no table: a Feistel network over the next power of four, applied
// repeatedly until the result is below n (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
class Permutation {
 public:
  Permutation(uint64_t n, uint64_t key);
  uint64_t operator()(uint64_t i) const;  // i < n

 private:
  uint64_t n_, key_;
  int half_bits_ = 0;  // 4^half_bits_ >= n
};

class TokenLoader {
 public:
  struct Settings {
    int64_t B, T;  // size of one rank's batch
    DataOrder order = DataOrder::shuffled;
    uint64_t seed = 1337;
    int rank = 0, world = 1;
    Device device = kCpu;
  };

  // The position in the data at which the next batch begins.
  struct State {
    int64_t epoch = 0;
    int64_t position = 0;  // rows of this epoch already returned, on all ranks together
    bool operator==(const State&) const = default;
  };

  // Throws if the sources have no window, or, in the video's order, do not fill a batch.
  TokenLoader(TokenSources sources, Settings settings);

  // Returns the next B windows of this rank, in tensors that the next call overwrites.
  Batch next_batch();

  const Settings& settings() const { return settings_; }
  const State& state() const { return state_; }
  void restore(const State& state);  // throws if this loader cannot have this state
  void reset() { restore({}); }

  // The identities of the sources, in order; set_contents() sets the digests of all ids, some of which other
  // ranks have read.
  std::vector<SourceIdentity> identities() const;
  void set_contents(std::span<const uint64_t> digests);
  int64_t B() const { return settings_.B; }
  int64_t T() const { return settings_.T; }
  int64_t num_tokens() const { return num_tokens_; }
  int64_t rows_per_epoch() const { return first_row_.back(); }
  int64_t batches_per_epoch() const { return rows_per_epoch() / (settings_.B * settings_.world); }
  // The number of ids at the sources' ends that are in no window of an epoch.
  int64_t tail() const;

 private:
  struct Window {
    const TokenSource* source;
    int64_t begin;
  };
  Window window(State at) const;
  State after(State at, int64_t rows) const;

  TokenSources sources_;
  Settings settings_;
  int64_t num_tokens_ = 0;
  std::vector<int64_t> first_row_;  // the first row of each source, and the end
  State state_;
  std::vector<int32_t> window_, x_, y_;  // on the host
  Batch batch_;
};

}  // namespace gpt2
