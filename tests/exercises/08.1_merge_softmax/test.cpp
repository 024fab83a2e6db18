#include "partial.h"

#include "tests/exercises/exercise.h"

namespace {

using Floats = std::vector<float>;

// The mean of the values with weights 1 / sum_j exp(s_j - s_i), in double.
double oracle(const Floats& scores, const Floats& values) {
  double mean = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (std::isinf(scores[i])) continue;
    double sum = 0;
    for (const float other : scores) {
      if (!std::isinf(other)) sum += std::exp(double(other) - double(scores[i]));
    }
    mean += double(values[i]) / sum;
  }
  return mean;
}

double plain_mean(const Floats& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / double(values.size());
}

Partial in_turn(const Floats& scores, const Floats& values) {
  Partial all{-INFINITY, 0, 0};
  for (size_t i = 0; i < scores.size(); ++i) all = merge(all, partial_of(scores[i], values[i]));
  return all;
}

// Merges neighbours, chosen by `choices`, until one is left; `swapped`: the right one comes first.
Partial in_a_tree(const Floats& scores, const Floats& values, const std::vector<int32_t>& choices,
                  bool swapped) {
  std::vector<Partial> parts;
  for (size_t i = 0; i < scores.size(); ++i) parts.push_back(partial_of(scores[i], values[i]));
  for (size_t step = 0; parts.size() > 1; ++step) {
    const size_t at = size_t(choices[step]) % (parts.size() - 1);
    parts[at] = swapped ? merge(parts[at + 1], parts[at]) : merge(parts[at], parts[at + 1]);
    parts.erase(parts.begin() + long(at) + 1);
  }
  return parts[0];
}

bool has_nan(const Partial& x) { return std::isnan(x.m) || std::isnan(x.l) || std::isnan(x.a); }

}  // namespace

CASE("one score after the other") {
  for (const int64_t n : {int64_t{1}, int64_t{2}, draw.integer(3, 100)}) {
    WITH("{} keys", n);
    const Floats scores = draw.uniform(n, -6, 6), values = draw.uniform(n, 1, 5);
    const auto all = STUDENT(in_turn(scores, values));
    const auto y = STUDENT(output(in_turn(scores, values)));
    const double largest = double(*std::max_element(scores.begin(), scores.end()));
    CHECK_EQUAL(double(all.m), largest, "m is not the largest score");
    CHECK(n == 1 || !close(double(all.l), double(n), 1e-6),
          "l is the number of keys: sums that were relative to an old maximum must be multiplied with "
          "exp(old - new)");
    CHECK_CLOSE(double(y), oracle(scores, values), 1e-5,
                "the output is not the mean of the values (plain mean: {:.4g}) "
                "weighted with the softmax",
                plain_mean(values));
  }
}

CASE("any order") {
  const int64_t n = draw.integer(5, 40);
  WITH("{} keys", n);
  const Floats scores = draw.uniform(n, -6, 6), values = draw.uniform(n, 1, 5);
  const double right = oracle(scores, values);
  for (const bool swapped : {false, true}) {
    const auto choices = draw.ids(n, 1000);
    const auto all = STUDENT(in_a_tree(scores, values, choices, swapped));
    const auto y = STUDENT(output(in_a_tree(scores, values, choices, swapped)));
    CHECK_CLOSE(double(y), right, 1e-5, "merged in another order, the output is another");
    CHECK_CLOSE(double(all.a) / double(all.l), right, 1e-5, "a / l is not the output");
  }
}

CASE("large scores") {
  for (const double center : {10000.0, -10000.0, 0.0}) {
    const int64_t n = draw.integer(5, 30);
    const double spread = center == 0 ? 10000 : 3;
    WITH("{} scores between {} and {}", n, center - spread, center + spread);
    const Floats scores = draw.uniform(n, center - spread, center + spread), values = draw.uniform(n, 1, 5);
    const auto all = STUDENT(in_turn(scores, values));
    const auto y = STUDENT(output(in_turn(scores, values)));
    CHECK(!has_nan(all) && std::isfinite(all.l) && std::isfinite(y),
          "m, l, a = {}, {}, {}, the output is {}: take exp only of differences to the maximum, which are at "
          "most 0",
          all.m, all.l, all.a, y);
    CHECK_CLOSE(double(y), oracle(scores, values), 1e-5, "the output is wrong");
  }
}

CASE("nothing yet") {
  const Partial none{-INFINITY, 0, 0};
  const float score = float(draw.number(-5, 5)), value = float(draw.number(1, 5));
  const auto both = STUDENT(merge(none, none));
  CHECK(!has_nan(both), "two empty sets give m, l, a = {}, {}, {}: -inf - -inf is NaN", both.m, both.l,
        both.a);
  CHECK(std::isinf(both.m) && both.l == 0 && both.a == 0,
        "two empty sets give m, l, a = {}, {}, {}, expected -inf, 0, 0", both.m, both.l, both.a);
  const auto left = STUDENT(merge(none, partial_of(score, value)));
  const auto right = STUDENT(merge(partial_of(score, value), none));
  for (const auto& one : {left, right}) {
    CHECK(one.m == score && one.l == 1 && one.a == value,
          "a key with score {} and value {}, merged with no key, gives m, l, a = {}, {}, {}", score, value,
          one.m, one.l, one.a);
  }
  const auto masked = STUDENT(merge(partial_of(-INFINITY, value), partial_of(-INFINITY, value)));
  CHECK(!has_nan(masked) && masked.l == 0, "two masked keys give m, l, a = {}, {}, {}, expected -inf, 0, 0",
        masked.m, masked.l, masked.a);
  const Floats scores{-INFINITY, score, -INFINITY, score + 1}, values{9, 1, 9, value};
  const auto y = STUDENT(output(in_turn(scores, values)));
  CHECK_CLOSE(double(y), oracle(scores, values), 1e-5, "masked keys have an effect on the output");
}
