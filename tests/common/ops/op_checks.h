// How an op is held against its oracle: its values, and the gradients of every input by finite differences of the
// oracle in double, which no derivation by hand can spoil.
#pragma once

#include <functional>
#include <vector>

#include "common/ops/ops.h"
#include "tests/common/oracle.h"
#include "tests/common/testing.h"

namespace gpt2::testing {

struct Input {
  Shape shape;
  std::vector<float> values;
};

inline Input random_input(const Shape& shape, unsigned seed, double low = -1, double high = 1) {
  return {shape, uniform(numel(shape), low, high, seed)};
}

using Op = std::function<Tensor(const std::vector<Tensor>&)>;
using Oracle = std::function<Values(const std::vector<Values>&)>;

inline std::vector<Tensor> leaves_of(Device device, const std::vector<Input>& inputs) {
  std::vector<Tensor> leaves;
  for (const Input& input : inputs) {
    leaves.push_back(from_vector(input.values, input.shape, device).set_requires_grad());
  }
  return leaves;
}

// The sum of y dy, through a product of a row and a column: what y receives is dy to the bit.
inline Tensor weighted_sum(const Tensor& y, const std::vector<float>& dy) {
  return matmul(y.contiguous().view({1, -1}), from_vector(dy, {y.numel(), 1}, y.device()));
}

struct OpResult {
  std::vector<float> y;
  std::vector<std::vector<float>> gradients;  // one for each input
};

inline OpResult differentiate(Device device, const std::vector<Input>& inputs, const Op& op,
                              const std::vector<float>& dy) {
  const std::vector<Tensor> leaves = leaves_of(device, inputs);
  const Tensor y = op(leaves);
  weighted_sum(y, dy).backward();
  OpResult result{y.to_vector<float>(), {}};
  for (const Tensor& leaf : leaves) {
    const Tensor gradient = leaf.grad();
    EXPECT_TRUE(gradient.defined() && gradient.shape() == leaf.shape());
    result.gradients.push_back(gradient.defined() ? gradient.to_vector<float>() : std::vector<float>{});
  }
  return result;
}

inline void expect_agrees_with_oracle(Device device, const std::vector<Input>& inputs, const Op& op,
                                      const Oracle& oracle, double tolerance = 5e-6) {
  std::vector<Values> values;
  for (const Input& input : inputs) values.push_back(to_double(input.values));
  const Values expected = oracle(values);
  const std::vector<float> dy = uniform(int64_t(expected.size()), -1, 1, 1337);
  const OpResult actual = differentiate(device, inputs, op, dy);
  EXPECT_LE(max_relative_error(actual.y, expected), tolerance);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto loss = [&](const Values& x) {
      std::vector<Values> changed = values;
      changed[i] = x;
      return dot(to_double(dy), oracle(changed));
    };
    const Values gradient = finite_differences(loss, values[i]);
    EXPECT_LE(max_relative_error(actual.gradients[i], gradient), tolerance) << "gradient of input " << i;
  }
}

namespace oracle {

// (batch, M, K) x (batch, K, N) -> (batch, M, N)
inline Values matmul(const Values& a, const Values& b, int64_t M, int64_t K, int64_t N) {
  const int64_t batch = int64_t(a.size()) / (M * K);
  Values c;
  for (int64_t n = 0; n < batch; ++n) {
    for (int64_t i = 0; i < M; ++i) {
      for (int64_t j = 0; j < N; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < K; ++k)
          sum += a[size_t((n * M + i) * K + k)] * b[size_t((n * K + k) * N + j)];
        c.push_back(sum);
      }
    }
  }
  return c;
}

// (batch, rows, cols) -> (batch, cols, rows)
inline Values transpose(const Values& x, int64_t rows, int64_t cols) {
  Values y(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t matrix = i / size_t(rows * cols) * size_t(rows * cols), row = (i - matrix) / size_t(cols),
                 col = i % size_t(cols);
    y[matrix + col * size_t(rows) + row] = x[i];
  }
  return y;
}

// (outer, swapped0, swapped1, inner) -> (outer, swapped1, swapped0, inner)
inline Values swap_middle(const Values& x, int64_t first, int64_t second, int64_t inner) {
  const int64_t outer = int64_t(x.size()) / (first * second * inner);
  Values y;
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t s = 0; s < second; ++s) {
      for (int64_t f = 0; f < first; ++f) {
        const auto from = x.begin() + ((o * first + f) * second + s) * inner;
        y.insert(y.end(), from, from + inner);
      }
    }
  }
  return y;
}

// (rows, cols) -> (rows, length), from column `start` on
inline Values columns(const Values& x, int64_t cols, int64_t start, int64_t length) {
  Values y;
  for (size_t row = 0; row < x.size(); row += size_t(cols)) {
    const auto from = x.begin() + int64_t(row) + start;
    y.insert(y.end(), from, from + length);
  }
  return y;
}

// Element by element, y repeated where it is shorter.
inline Values add(const Values& x, const Values& y) {
  Values sum;
  for (size_t i = 0; i < x.size(); ++i) sum.push_back(x[i] + y[i % y.size()]);
  return sum;
}

inline Values scale(const Values& x, double factor) {
  Values y;
  for (const double value : x) y.push_back(value * factor);
  return y;
}

// (batch, T, T): -inf right of the diagonal
inline Values causal_mask(Values x, int64_t T) {
  for (size_t i = 0; i < x.size(); ++i) {
    if (int64_t(i) % T > int64_t(i) / T % T) x[i] = -INFINITY;
  }
  return x;
}

}  // namespace oracle
}  // namespace gpt2::testing
