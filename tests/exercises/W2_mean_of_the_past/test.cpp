#include "mean_of_past.h"

#include "tests/exercises/exercise.h"

namespace {

using exercise::doubles;
using Values = std::vector<double>;

// The sum over positions begin ... end - 1, divided by `divisor`.
double part(const std::vector<float>& x, int64_t C, int64_t c, int64_t begin, int64_t end, double divisor) {
  double sum = 0;
  for (int64_t t = begin; t < end; ++t) sum += double(x[size_t(t * C + c)]);
  return sum / divisor;
}

template <class F>
Values each(int64_t T, int64_t C, const F& f) {
  Values y;
  for (int64_t i = 0; i < T * C; ++i) y.push_back(f(i / C, i % C));
  return y;
}

Values oracle(const std::vector<float>& x, int64_t T, int64_t C) {
  return each(T, C, [&](int64_t t, int64_t c) { return part(x, C, c, 0, t + 1, double(t + 1)); });
}

}  // namespace

CASE("one position") {
  const int64_t C = draw.integer(1, 9);
  const auto x = draw.uniform(C, -3, 3);
  const auto y = STUDENT(mean_of_past(x, 1, C));
  CHECK(!std::isnan(doubles(y).at(0)),
        "the mean of one position is NaN: position t counts too, so that there are t + 1");
  CHECK_EQUAL(y, doubles(x), "with T = 1 the mean is x itself");
}

CASE("means") {
  for (const int64_t T : {int64_t{1}, int64_t{7}, int64_t{33}, draw.integer(2, 80)}) {
    const int64_t C = draw.integer(2, 9);
    WITH("T = {}, C = {}", T, C);
    const auto x = draw.uniform(T * C, -3, 3);
    const auto y = STUDENT(mean_of_past(x, T, C));
    const auto by = [&](const auto& f) { return T > 1 && close(y, each(T, C, f), 1e-5); };
    CHECK(!by([&](int64_t t, int64_t c) { return part(x, C, c, 0, t + 1, double(T)); }),
          "you divide by T, but position t has t + 1 positions to take the mean of");
    CHECK(!by([&](int64_t, int64_t c) { return part(x, C, c, 0, T, double(T)); }),
          "every position has the mean of the whole text, its future included: stop at t");
    CHECK(!by([&](int64_t t, int64_t c) { return part(x, C, c, 0, t + 1, 1); }),
          "these are the sums: divide by the number of positions");
    CHECK_CLOSE(y, oracle(x, T, C), 1e-5, "y[t] is not the mean of x[0], ..., x[t]");
  }
}

CASE("no future") {
  const int64_t T = draw.integer(8, 30), C = draw.integer(2, 5), t = draw.integer(2, T - 1);
  WITH("T = {}, C = {}, x[{}] changed", T, C, t);
  auto x = draw.uniform(T * C, -3, 3);
  const auto before = STUDENT(mean_of_past(x, T, C));
  for (int64_t c = 0; c < C; ++c) x[size_t(t * C + c)] += 1;
  const auto after = STUDENT(mean_of_past(x, T, C));
  CHECK_CLOSE(after, oracle(x, T, C), 1e-5, "y[t] is not the mean of x[0], ..., x[t]");
  for (int64_t i = 0; i < t * C; ++i) {
    CHECK(before[size_t(i)] == after[size_t(i)], "y[{}] has changed: it has seen the future", i / C);
  }
}
