// Given: the rows of q, k and v, and tiles of keys and values.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "common/base/error.h"

inline constexpr int64_t kTile = 16;  // queries, or keys, in a tile

// The rows of a matrix (T, hs), each with memory of its own. Counts how often a row is read.
class Rows {
 public:
  Rows(const std::vector<float>& values, int64_t hs) : channels_(hs) {
    for (auto at = values.begin(); at != values.end(); at += hs) rows_.emplace_back(at, at + hs);
  }

  int64_t size() const { return int64_t(rows_.size()); }
  int64_t channels() const { return channels_; }
  const float* row(int64_t t) const {
    gpt2::require(t >= 0 && t < size(), "row {} of {} is read", t, size());
    ++reads_;
    return rows_[size_t(t)].data();
  }
  int64_t reads() const { return reads_; }

 private:
  int64_t channels_;
  std::vector<std::vector<float>> rows_;
  mutable int64_t reads_ = 0;
};

// `count` keys with their values; key j of the tile is key first + j.
struct Tile {
  int64_t first, count;
  std::array<const float*, kTile> keys, values;
};

// Reads the keys and values first ... first + kTile - 1, as far as there are any.
inline Tile load_tile(const Rows& k, const Rows& v, int64_t first) {
  Tile tile{first, std::min(kTile, k.size() - first), {}, {}};
  for (int64_t j = 0; j < tile.count; ++j) {
    tile.keys[size_t(j)] = k.row(first + j);
    tile.values[size_t(j)] = v.row(first + j);
  }
  return tile;
}
