#include "triangular.h"

#include "tests/exercises/tensors.h"

namespace {

// W2: the mean of positions 0 ... t.
Values oracle(const Values& x, int64_t T, int64_t C) {
  Values y;
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t c = 0; c < C; ++c) {
      double sum = 0;
      for (int64_t s = 0; s <= t; ++s) sum += x[size_t(s * C + c)];
      y.push_back(sum / double(t + 1));
    }
  }
  return y;
}

// x times the (C, C) matrix of past weights: channels are mixed, positions are not.
Values wrong_side(const Values& x, int64_t T, int64_t C) {
  Values y;
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t c = 0; c < C; ++c) {
      double sum = 0;
      for (int64_t s = c; s < C; ++s) sum += x[size_t(t * C + s)] / double(s + 1);
      y.push_back(sum);
    }
  }
  return y;
}

Values oracle_weights(int64_t T) {
  Values identity(size_t(T * T));
  for (int64_t t = 0; t < T; ++t) identity[size_t(t * T + t)] = 1;
  return oracle(identity, T, T);
}

void check_means(const Tensor& y, const std::vector<float>& x, int64_t T, int64_t C) {
  CHECK((T == 1 && C == 1) || !close(y, wrong_side(doubles(x), T, C), 1e-6),
        "this is x times the matrix, which mixes channels: to mix positions the matrix stands on the left");
  CHECK_CLOSE(y, oracle(doubles(x), T, C), 1e-6, "y[t] is not the mean of x[0], ..., x[t]");
}

}  // namespace

CASE("weights") {
  for (const int64_t T : {int64_t{1}, int64_t{3}, draw.integer(4, 40)}) {
    WITH("T = {}", T);
    const auto weights = STUDENT(past_weights(T));
    Values ones(oracle_weights(T));
    for (double& weight : ones) weight = weight > 0;
    CHECK(T == 1 || !close(weights, ones, 1e-6),
          "the matrix has ones: a mean needs 1 / (t + 1), so that each row sums to 1");
    CHECK_CLOSE(weights, oracle_weights(T), 1e-6, "the matrix is not that of the mean of the past");
  }
}

CASE("means") {
  for (const int64_t T : {int64_t{1}, int64_t{7}, int64_t{33}, draw.integer(2, 70)}) {
    for (const int64_t C : {T, draw.integer(2, 9)}) {  // a square x hides which side is which
      WITH("T = {}, C = {}", T, C);
      const auto x = draw.uniform(T * C, -3, 3);
      const auto y = STUDENT(mean_of_past(from_vector(x, {T, C})));
      check_means(y, x, T, C);
    }
  }
}

CASE("one matrix product") {
  const int64_t T = draw.integer(5, 30), C = draw.integer(2, 9);
  const auto x = draw.uniform(T * C, -3, 3);
  const auto [y, calls] = STUDENT([&] {
    Tensor result;
    const int64_t made = calls_of("matmul", [&] { result = mean_of_past(from_vector(x, {T, C})); });
    return std::tuple(result, made);
  }());
  check_means(y, x, T, C);
  CHECK(calls == 1, "mean_of_past makes {} matrix products: one with a (T, T) matrix does it all", calls);
}

CASE("gradient") {
  const int64_t T = draw.integer(3, 9), C = draw.integer(2, 5);
  const auto x = draw.uniform(T * C, -3, 3), dy = draw.uniform(T * C, -1, 1);
  const auto gradient = STUDENT(gradients(
      [&](const std::vector<Tensor>& leaf) {
        return matmul(mean_of_past(leaf[0]).view({1, T * C}), from_vector(dy, {T * C, 1}));
      },
      {from_vector(x, {T, C})})[0]);
  CHECK(gradient.defined(),
        "no gradient reaches x: compute y from x with matmul, not from a copy of its values");
  const auto f = [&](const Values& at) { return gpt2::testing::dot(oracle(at, T, C), doubles(dy)); };
  CHECK_CLOSE(gradient, gpt2::testing::finite_differences(f, doubles(x)), 1e-5,
              "the gradient of x differs from finite differences");
}
