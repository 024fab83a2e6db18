#include "common/data/token_loader.h"

#include <algorithm>
#include <utility>

#include "common/tensor/context.h"

namespace gpt2 {
namespace {

// The finaliser of splitmix64 (Steele, Lea and Flood 2014): every bit of x decides about every bit of the
// result.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

constexpr uint64_t kGoldenGamma = 0x9e3779b97f4a7c15u;

}  // namespace

Permutation::Permutation(uint64_t n, uint64_t key) : n_(n), key_(key) {
  while (half_bits_ < 32 && (n - 1) >> (2 * half_bits_) > 0) ++half_bits_;
}

uint64_t Permutation::operator()(uint64_t i) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  do {
    uint64_t left = i >> half_bits_, right = i & mask;
    for (uint64_t round = 0; round < 6; ++round) {
      const uint64_t shaken = mix(right + kGoldenGamma * (round + 1) + key_) & mask;
      left = std::exchange(right, left ^ shaken);
    }
    i = left << half_bits_ | right;
  } while (i >= n_);  // fewer than four walks on average, as 4^half_bits_ < 4 n
  return i;
}

TokenLoader::TokenLoader(TokenSources sources, Settings settings)
    : sources_(std::move(sources)), settings_(settings), first_row_{0} {
  const int64_t B = settings_.B, T = settings_.T, world = settings_.world;
  // The video's code serves whole batches of a source; written as divisions, as B * T * world could overflow.
  const bool whole = settings_.order == DataOrder::video;
  for (const auto& source : sources_) {
    int64_t rows = std::max<int64_t>(source->size() - 1, 0) / T;
    if (whole) rows = rows / B / world * B * world;
    first_row_.push_back(first_row_.back() + rows);
    num_tokens_ += source->size();
  }
  if (rows_per_epoch() == 0 && whole) {
    fail(
        "--batch {} x --seq {} on {} rank(s), and one target more, are more than a text or shard holds ({} "
        "tokens in "
        "{}); use a smaller batch or more text",
        B, T, world, num_tokens_, sources_.size());
  }
  require(rows_per_epoch() > 0,
          "--seq {} and one target more are more than a text or shard holds ({} tokens in {}); use a smaller "
          "--seq or "
          "more text",
          T, num_tokens_, sources_.size());
  window_.resize(size_t(T + 1));
  x_.resize(size_t(B * T));
  y_.resize(size_t(B * T));
  batch_ = {empty({B, T}, settings_.device, DType::i32), empty({B, T}, settings_.device, DType::i32)};
}

Batch TokenLoader::next_batch() {
  const int64_t B = settings_.B, T = settings_.T;
  for (int64_t b = 0; b < B; ++b) {
    const auto [source, begin] = window(after(state_, settings_.rank * B + b));
    source->read(begin, window_);
    std::copy_n(window_.begin(), T, x_.begin() + b * T);
    std::copy_n(window_.begin() + 1, T, y_.begin() + b * T);
  }
  state_ = after(state_, B * settings_.world);
  for (int64_t b = 0; b < B; ++b) {  // while this batch is trained on
    const auto [source, begin] = window(after(state_, settings_.rank * B + b));
    source->will_need(begin, T + 1);
  }
  const Device device = settings_.device;
  const size_t bytes = x_.size() * sizeof(int32_t);
  backend(device).copy(batch_.x.data<int32_t>(), x_.data(), bytes, context().stream(device));
  backend(device).copy(batch_.y.data<int32_t>(), y_.data(), bytes, context().stream(device));
  return batch_;
}

void TokenLoader::restore(const State& state) {
  const bool whole = settings_.order == DataOrder::video;
  const int64_t step = whole ? settings_.B * settings_.world : 1;
  require(
      state.epoch >= 0 && state.position >= 0 && state.position < rows_per_epoch() &&
          state.position % step == 0,
      "data position {} of epoch {} is none of this data, which has {} windows an epoch; were files added or "
      "removed, or another batch asked for?",
      state.position, state.epoch, rows_per_epoch());
  state_ = state;
}

std::vector<SourceIdentity> TokenLoader::identities() const {
  std::vector<SourceIdentity> identities;
  for (const auto& source : sources_) identities.push_back(source->identity());
  return identities;
}

void TokenLoader::set_contents(std::span<const uint64_t> digests) {
  for (size_t i = 0; i < sources_.size(); ++i) sources_[i]->set_content(digests[i]);
}

int64_t TokenLoader::tail() const {
  int64_t tail = 0;
  for (size_t i = 0; i < sources_.size(); ++i) {
    const int64_t rows = first_row_[i + 1] - first_row_[i];
    tail += sources_[i]->size() - (rows > 0 ? rows * settings_.T + 1 : 0);
  }
  return tail;
}

TokenLoader::Window TokenLoader::window(State at) const {
  int64_t row = at.position;
  if (settings_.order == DataOrder::shuffled) {
    const uint64_t key = mix(settings_.seed + kGoldenGamma * uint64_t(at.epoch + 1));
    row = int64_t(Permutation(uint64_t(rows_per_epoch()), key)(uint64_t(row)));
  }
  const auto next = std::upper_bound(first_row_.begin(), first_row_.end(), row);
  const size_t source = size_t(next - first_row_.begin()) - 1;
  return {sources_[source].get(), (row - first_row_[source]) * settings_.T};
}

// Where `rows` more rows lead; an epoch of few windows may pass more than once.
TokenLoader::State TokenLoader::after(State at, int64_t rows) const {
  const int64_t position = at.position + rows;
  return {at.epoch + position / rows_per_epoch(), position % rows_per_epoch()};
}

}  // namespace gpt2
