// Exercise 08.4: attention to the last W keys.
#include "window.h"

#include <cmath>
#include <numeric>

#include "tests/exercises/todo.h"

namespace {

// What a query knows after some tiles of keys (exercise 08.1).
struct State {
  explicit State(int64_t hs) : weighted(size_t(hs), 0.0f) {}

  float largest = -INFINITY;    // score so far
  float sum = 0;                // of exp(score - largest)
  std::vector<float> weighted;  // the sum of exp(score - largest) times the value
};

// Adds those keys of the tile that query t sees.
void add_tile(State& state, int64_t t, const float* query, const Tile& tile, int64_t W, float scale) {
  const size_t hs = state.weighted.size();
  float scores[kTile];
  float largest = state.largest;
  //@solution 08.4 tile
  for (int64_t j = 0; j < tile.count; ++j) {
    const int64_t key = tile.first + j;
    const bool seen = key > t - W && key <= t;
    scores[j] = seen ? scale * std::inner_product(query, query + hs, tile.keys[size_t(j)], 0.0f) : -INFINITY;
    largest = std::max(largest, scores[j]);
  }
  if (largest == -INFINITY) return;  // no key yet, and none in this tile
  const float correction = std::exp(state.largest - largest);
  state.largest = largest;
  state.sum *= correction;
  for (float& value : state.weighted) value *= correction;
  for (int64_t j = 0; j < tile.count; ++j) {
    const float p = std::exp(scores[j] - largest);
    state.sum += p;
    for (size_t c = 0; c < hs; ++c) state.weighted[c] += p * tile.values[size_t(j)][c];
  }
  //@stub
  //| // TODO(08.4): the scores of the keys that t sees, the new largest one; then sum and weighted.
  //| COURSE_TODO("08.4");
  //@end
}

}  // namespace

std::vector<float> window_attention(const Rows& q, const Rows& k, const Rows& v, int64_t W, float scale) {
  const int64_t T = q.size();
  std::vector<float> y;
  for (int64_t t0 = 0; t0 < T; t0 += kTile) {
    const int64_t end = std::min(T, t0 + kTile);  // queries t0 ... end - 1
    std::vector<State> states(size_t(end - t0), State(q.channels()));
    //@solution 08.4 loop
    const int64_t oldest = std::max<int64_t>(0, t0 - W + 1);  // the first key that query t0 sees
    for (int64_t first = oldest / kTile * kTile; first < end; first += kTile) {
      const Tile tile = load_tile(k, v, first);
      for (int64_t t = t0; t < end; ++t) add_tile(states[size_t(t - t0)], t, q.row(t), tile, W, scale);
    }
    //@stub
    //| // TODO(08.4): for each tile that one of the queries needs: load_tile once, add_tile for each query.
    //| COURSE_TODO("08.4");
    //@end
    for (const State& state : states) {
      for (const float value : state.weighted) y.push_back(value / state.sum);
    }
  }
  return y;
}
