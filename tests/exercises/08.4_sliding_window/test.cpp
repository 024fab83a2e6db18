#include "window.h"

#include "tests/common/oracle.h"
#include "tests/exercises/exercise.h"

namespace {

using exercise::doubles;
using exercise::Draw;
using gpt2::testing::Values;

struct Inputs {
  std::vector<float> q, k, v;  // (T, hs)
  int64_t T, hs;
  float scale;
};

// scale * (q . k) has about this standard deviation.
Inputs random_inputs(Draw& draw, int64_t T, double deviation = 1) {
  Inputs in{{}, {}, {}, T, draw.pick({1, 5, 12}), 0};
  for (auto* x : {&in.q, &in.k, &in.v}) *x = draw.normal(T * in.hs);
  in.scale = float(deviation / std::sqrt(double(in.hs)));
  return in;
}

// y, and the rows of keys and values that were read.
using Result = std::tuple<std::vector<float>, int64_t, int64_t>;

Result attend(const Inputs& in, int64_t W) {
  const Rows q(in.q, in.hs), k(in.k, in.hs), v(in.v, in.hs);
  std::vector<float> y = window_attention(q, k, v, W, in.scale);
  return {std::move(y), k.reads(), v.reads()};
}

double score(const Inputs& in, int64_t t, int64_t j) {
  double sum = 0;
  for (int64_t c = 0; c < in.hs; ++c)
    sum += double(in.q[size_t(t * in.hs + c)]) * in.k[size_t(j * in.hs + c)];
  return double(in.scale) * sum;
}

// Query after query, with the scores of the keys first(t) ... t alone.
template <class First>
Values attend_from(const Inputs& in, const First& first) {
  Values y;
  for (int64_t t = 0; t < in.T; ++t) {
    const int64_t begin = std::max<int64_t>(0, first(t));
    Values scores;
    for (int64_t j = begin; j <= t; ++j) scores.push_back(score(in, t, j));
    const Values p = gpt2::testing::oracle::softmax(scores, t + 1 - begin);
    for (int64_t c = 0; c < in.hs; ++c) {
      double sum = 0;
      for (int64_t j = begin; j <= t; ++j) sum += p[size_t(j - begin)] * in.v[size_t(j * in.hs + c)];
      y.push_back(sum);
    }
  }
  return y;
}

Values oracle(const Inputs& in, int64_t W) {
  return attend_from(in, [&](int64_t t) { return t - W + 1; });
}

// The first key that a tile of queries needs.
int64_t first_needed(int64_t t0, int64_t W) { return std::max<int64_t>(0, t0 - W + 1) / kTile * kTile; }

// One key more, if its tile is read at all.
Values one_key_more(const Inputs& in, int64_t W) {
  return attend_from(in, [&](int64_t t) { return std::max(t - W, first_needed(t / kTile * kTile, W)); });
}

// Queries see only tiles that the last query of their tile sees.
Values window_of_the_last(const Inputs& in, int64_t W) {
  return attend_from(in, [&](int64_t t) {
    const int64_t end = std::min(in.T, t / kTile * kTile + kTile);
    return std::max(t - W + 1, std::max<int64_t>(0, end - W) / kTile * kTile);
  });
}

// Whether y is that of a mistake that has a name; some are no mistakes for these inputs.
bool is(const std::vector<float>& y, const Values& wrong, const Values& right) {
  return close(y, wrong, 1e-5) && !close(wrong, right, 1e-4);
}

void check_window(const std::vector<float>& y, const Inputs& in, int64_t W) {
  const Values right = oracle(in, W);
  const auto nan = std::find_if(y.begin(), y.end(), [](float value) { return std::isnan(value); });
  CHECK(nan == y.end(),
        "y of query {} is NaN: in the first tile such a query sees no key, so the largest score is -inf, and "
        "-inf - -inf is NaN",
        (nan - y.begin()) / in.hs);
  CHECK(!is(y, oracle(in, W + 1), right) && !is(y, one_key_more(in, W), right),
        "the window has {} keys, one too many: t - W + 1 is the first", W + 1);
  CHECK(!is(y, oracle(in, W - 1), right), "the window has {} keys, one too few: t - W + 1 is the first",
        W - 1);
  CHECK(!is(y, oracle(in, in.T), right), "there is no window: all keys up to the query's own are seen");
  CHECK(!is(y, window_of_the_last(in, W), right),
        "the first queries of a tile miss their oldest keys: the tile's first query reaches back farthest");
  CHECK_CLOSE(y, right, 1e-5, "y differs from attention to the last {} keys", W);
}

// The keys that are read if each tile of queries reads the tiles in which it sees a key, and no others.
int64_t needed_keys(int64_t T, int64_t W) {
  int64_t needed = 0;
  for (int64_t t0 = 0; t0 < T; t0 += kTile) {
    needed += std::min(T, t0 + kTile) - first_needed(t0, W);
  }
  return needed;
}

}  // namespace

CASE("window of one") {
  for (const int64_t T : {int64_t{1}, draw.integer(17, 60)}) {
    const Inputs in = random_inputs(draw, T);
    WITH("T = {}, W = 1", T);
    const auto y = std::get<0>(STUDENT(attend(in, 1)));
    CHECK(!is(y, oracle(in, 2), oracle(in, 1)) && !is(y, one_key_more(in, 1), oracle(in, 1)),
          "a query sees its own key and the one before: W = 1 is its own alone, and then y is v");
    CHECK_CLOSE(y, in.v, 1e-6, "with a single key its weight is 1, and y is v");
  }
}

CASE("windows") {
  for (const int64_t W : {int64_t{17}, int64_t{16}, int64_t{2}, draw.integer(3, 40)}) {
    const int64_t T = draw.integer(41, 100);
    const Inputs in = random_inputs(draw, T);
    WITH("T = {}, W = {}, hs = {}", T, W, in.hs);
    check_window(std::get<0>(STUDENT(attend(in, W))), in, W);
  }
}

CASE("whole history") {
  for (const int64_t more : {0, 1, 1000}) {
    const int64_t T = draw.integer(1, 70);
    const Inputs in = random_inputs(draw, T);
    WITH("T = {}, W = {}", T, T + more);
    const auto y = std::get<0>(STUDENT(attend(in, T + more)));
    CHECK_CLOSE(y, oracle(in, T), 1e-5,
                "with a window of T keys or more this is causal attention without a window");
  }
}

CASE("keys visited") {
  for (const int64_t W : {int64_t{17}, int64_t{1}, draw.integer(2, 60)}) {
    const int64_t T = draw.integer(150, 200);
    const Inputs in = random_inputs(draw, T);
    WITH("T = {}, W = {}", T, W);
    const auto [y, keys, values] = STUDENT(attend(in, W));
    CHECK(keys < needed_keys(T, T),
          "{} keys are read, as many as without a window: a mask alone saves no time, leave out the tiles",
          keys);
    CHECK(keys <= needed_keys(T, W) && values <= needed_keys(T, W),
          "{} keys and {} values are read, {} would do: once for each tile of queries, and only tiles of "
          "which some query sees a key",
          keys, values, needed_keys(T, W));
    check_window(y, in, W);
  }
}

CASE("large scores") {
  const int64_t T = draw.integer(41, 70), W = draw.integer(3, 30);
  const Inputs in = random_inputs(draw, T, 5000);
  WITH("T = {}, W = {}, scores of +-10000", T, W);
  const auto y = std::get<0>(STUDENT(attend(in, W)));
  const bool finite = std::all_of(y.begin(), y.end(), [](float value) { return std::isfinite(value); });
  CHECK(finite, "y is not finite: exp(score) overflows, so subtract the largest score so far");
  CHECK_CLOSE(y, oracle(in, W), 1e-2, "y differs from attention to the last {} keys", W);
}
