#include "squared_relu.h"

#include "tests/exercises/tensors.h"

namespace {

Values oracle(const Values& x, double power = 2) {
  Values y;
  for (const double value : x) y.push_back(value > 0 ? std::pow(value, power) : 0);
  return y;
}

// dy times the derivative, times `factor`
Values oracle_gradient(const std::vector<float>& x, const std::vector<float>& dy, double factor = 1) {
  Values dx = oracle(doubles(x), 1);
  for (size_t i = 0; i < dx.size(); ++i) dx[i] *= 2 * factor * double(dy[i]);
  return dx;
}

Values transposed(const Values& x, int64_t cols) {
  const int64_t rows = int64_t(x.size()) / cols;
  Values y;
  for (int64_t i = 0; i < rows * cols; ++i) y.push_back(x[size_t(i % rows * cols + i / rows)]);
  return y;
}

// The sum of y * dy, in the order of y's elements.
Tensor weighted_sum(const Tensor& y, const std::vector<float>& dy) {
  const int64_t n = int64_t(dy.size());
  return matmul(y.contiguous().view({1, n}), from_vector(dy, {n, 1}));
}

using Leaf = std::vector<Tensor>;

// The gradient of x (rows, cols) through a view of its transpose.
Tensor gradient_through_view(const std::vector<float>& x, const std::vector<float>& dy, int64_t cols) {
  const Shape shape{int64_t(x.size()) / cols, cols};
  return gradients([&](const Leaf& leaf) { return weighted_sum(squared_relu(leaf[0].transpose(0, 1)), dy); },
                   {from_vector(x, shape)})[0];
}

Tensor gradient_of_transposed(const std::vector<float>& x, const std::vector<float>& dy, int64_t cols) {
  const Shape shape{int64_t(x.size()) / cols, cols};
  return gradients([&](const Leaf& leaf) { return weighted_sum(squared_relu(leaf[0]).transpose(0, 1), dy); },
                   {from_vector(x, shape)})[0];
}

Tensor gradient_used_twice(const std::vector<float>& x, const std::vector<float>& dy) {
  const int64_t n = int64_t(x.size());
  return gradients(
      [&](const Leaf& leaf) { return weighted_sum(squared_relu(leaf[0]) + squared_relu(leaf[0]) * 3, dy); },
      {from_vector(x, {n})})[0];
}

Tensor gradient_of_two_passes(const std::vector<float>& x, const std::vector<float>& dy) {
  Tensor leaf = from_vector(x, {int64_t(x.size())});
  leaf.set_requires_grad();
  for (int pass = 0; pass < 2; ++pass) weighted_sum(squared_relu(leaf), dy).backward();
  return leaf.grad();
}

}  // namespace

CASE("values") {
  for (const int64_t n : {int64_t{1}, int64_t{7}, draw.integer(20, 99)}) {
    WITH("n = {}", n);
    auto x = draw.uniform(n, -3, 3);
    if (n > 1) x[0] = 0, x[1] = 2;
    const auto y = STUDENT(squared_relu(from_vector(x, {n})));
    CHECK(n == 1 || !close(y, oracle(doubles(x), 1), 1e-5), "this is ReLU: the square is missing");
    CHECK_CLOSE(y, oracle(doubles(x)), 1e-6, "squared ReLU is max(x, 0)^2");
  }
}

CASE("gradient") {
  for (const int64_t cols : {int64_t{1}, int64_t{5}, draw.integer(2, 9)}) {
    const int64_t rows = draw.integer(3, 9);
    WITH("a view of x ({}, {})", rows, cols);
    auto x = draw.uniform(rows * cols, -3, 3);
    x[0] = 0, x[1] = 1.5f;
    const auto dy = draw.uniform(rows * cols, -2, 2);
    const auto dx = STUDENT(gradient_through_view(x, dy, cols));
    const auto f = [&](const Values& at) {
      return gpt2::testing::dot(transposed(oracle(at), cols), doubles(dy));
    };
    const Values right = gpt2::testing::finite_differences(f, doubles(x));
    CHECK(!close(dx, oracle_gradient(x, std::vector<float>(x.size(), 1)), 1e-4),
          "this is the derivative of y alone: multiply it by the gradient that arrives, g.dy()");
    Values halved = right;
    for (double& value : halved) value /= 2;
    CHECK(!close(dx, halved, 1e-4), "the factor 2 of the square's derivative is missing");
    CHECK_CLOSE(dx, right, 1e-4, "the gradient differs from finite differences");
  }
}

CASE("gradient that arrives transposed") {
  const int64_t rows = draw.integer(2, 6), cols = draw.integer(7, 12);
  WITH("y ({}, {}) is transposed after the op", rows, cols);
  const auto x = draw.uniform(rows * cols, 0.5, 3), dy = draw.uniform(rows * cols, -2, 2);
  const auto dx = STUDENT(gradient_of_transposed(x, dy, cols));
  CHECK(
      !close(dx, oracle_gradient(x, dy), 1e-4),
      "you read the gradient in the order of its memory, but it is a view with strides: g.dy().contiguous()");
  const auto f = [&](const Values& at) {
    return gpt2::testing::dot(transposed(oracle(at), cols), doubles(dy));
  };
  CHECK_CLOSE(dx, gpt2::testing::finite_differences(f, doubles(x)), 1e-4,
              "the gradient differs from finite differences");
}

CASE("used twice") {
  const int64_t n = draw.integer(5, 30);
  auto x = draw.uniform(n, -3, 3);
  x[0] = 2;
  const auto dy = draw.uniform(n, 0.5, 2);
  const auto once = STUDENT(gradient_used_twice(x, dy));
  for (const double part : {1.0, 3.0}) {
    CHECK(
        !close(once, oracle_gradient(x, dy, part), 1e-4),
        "in y = f(x) + 3 f(x) the gradient is {} f'(x), that of one use: add to the gradient that is there, "
        "beta * grad[i]",
        part);
  }
  CHECK_CLOSE(once, oracle_gradient(x, dy, 4), 1e-4, "the gradient of f(x) + 3 f(x) is not 4 f'(x)");
  const auto passes = STUDENT(gradient_of_two_passes(x, dy));
  CHECK_CLOSE(passes, oracle_gradient(x, dy, 2), 1e-4,
              "after two backward passes the gradient is not the sum of both");
}
