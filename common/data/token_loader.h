// The loader of batches for training at scale: token shards, or a text in memory, in either of two orders,
// for any number of ranks.
//
// A window is T inputs and the T ids that follow them; windows begin every T ids, so that each id of a source
// is an input once and a target once, but for a tail shorter than a window. An epoch is a sequence of
// windows, its rows. A batch of B rows on each of `world` ranks is the next B * world rows of the sequence,
// the first B for rank 0: the ranks' rows, side by side, are what a single rank with B * world rows would
// have been served.
//
//   shuffled  all windows of all sources, once an epoch, in an order drawn anew for each epoch from the seed.
//             It does not depend on B or world. The batch that crosses the end of an epoch is filled from the
//             next.
//   video     the video's DataLoaderLite: source by source from front to back. Of a source's windows as many
//             are served as fill batches on all ranks, and all ranks leave it at the same step (in the
//             video's code a rank's wrap depends on its offset, so that ranks come to train on different
//             shards).
//
// The state is two numbers, the same on every rank; a loader that has it restored goes on as if never
// stopped.
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

// A permutation of 0 .. n-1 that takes no memory: a Feistel network over the next power of four, walked until
// it lands below n (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
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
    int64_t B, T;  // of one rank's batch
    DataOrder order = DataOrder::shuffled;
    uint64_t seed = 1337;
    int rank = 0, world = 1;
    Device device = kCpu;
  };

  // Where in the data the next batch begins.
  struct State {
    int64_t epoch = 0;
    int64_t position = 0;  // rows of this epoch that were served, to all ranks
    bool operator==(const State&) const = default;
  };

  // Fails if the sources have no window, or, in the video's order, fill no batch.
  TokenLoader(TokenSources sources, Settings settings);

  // The next B windows of this rank, in tensors that every call writes anew.
  Batch next_batch();

  const Settings& settings() const { return settings_; }
  const State& state() const { return state_; }
  void restore(const State& state);  // fails if this loader cannot have been there
  void reset() { restore({}); }

  // Of the sources, in their order; and the digests of all ids for those that another rank has read.
  std::vector<SourceIdentity> identities() const;
  void set_contents(std::span<const uint64_t> digests);
  int64_t B() const { return settings_.B; }
  int64_t T() const { return settings_.T; }
  int64_t num_tokens() const { return num_tokens_; }
  int64_t rows_per_epoch() const { return first_row_.back(); }
  int64_t batches_per_epoch() const { return rows_per_epoch() / (settings_.B * settings_.world); }
  // Ids of the sources' ends that no window of an epoch holds.
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
  std::vector<int64_t> first_row_;  // of each source, and of the end
  State state_;
  std::vector<int32_t> window_, x_, y_;  // on the host
  Batch batch_;
};

}  // namespace gpt2
