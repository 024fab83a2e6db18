#include "common/kernels/matmul.h"

#include <cstring>
#include <functional>

#include "common/kernels/cpu/gemm_loop.h"
#include "tests/common/testing.h"

namespace gpt2 {
namespace {

using testing::DeviceArray;
using testing::max_relative_error;
using testing::OnEveryDevice;
using testing::uniform;

constexpr double kTolerance = 2e-6;  // float32 sums of a few hundred products

struct Shape {
  int64_t M, N, K;
};
// Lines of one, sizes around a tile, a vocabulary that no vector length divides, more depth than one block.
constexpr Shape kShapes[] = {{1, 1, 1},    {1, 7, 5},    {5, 1, 3},      {3, 5, 1},      {1, 257, 64},
                             {17, 33, 65}, {64, 64, 64}, {65, 129, 300}, {63, 257, 128}, {130, 31, 517}};

// Where the elements of a matrix lie: rows or columns side by side, and what is left free between them.
struct Layout {
  bool transposed;
  int64_t gap;
};
constexpr Layout kLayouts[] = {{false, 0}, {true, 0}, {false, 11}, {true, 3}};

// A (rows, cols) matrix in memory of its own, NaN in the gaps.
struct Operand {
  int64_t rows, cols, row_stride, col_stride;
  std::vector<float> memory;

  Operand(const std::vector<float>& values, int64_t n_rows, int64_t n_cols, Layout layout)
      : rows(n_rows),
        cols(n_cols),
        row_stride(layout.transposed ? 1 : cols + layout.gap),
        col_stride(layout.transposed ? rows + layout.gap : 1),
        memory(size_t(rows * row_stride + cols * col_stride), NAN) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j)
        memory[size_t(i * row_stride + j * col_stride)] = values[size_t(i * cols + j)];
    }
  }
  template <class T>
  MatrixView<T> view(T* data) const {
    return {data, rows, cols, row_stride, col_stride};
  }
};

std::vector<double> product_in_double(const std::vector<float>& a, const std::vector<float>& b, Shape s) {
  std::vector<double> c(size_t(s.M * s.N));
  for (int64_t i = 0; i < s.M; ++i) {
    for (int64_t j = 0; j < s.N; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < s.K; ++k)
        sum += double(a[size_t(i * s.K + k)]) * double(b[size_t(k * s.N + j)]);
      c[size_t(i * s.N + j)] = sum;
    }
  }
  return c;
}

using Multiply = std::function<void(const Matmul&)>;

void matmul(Device device, const Matmul& product) { DISPATCH(device, matmul, product); }

// alpha A B + beta C + bias by `multiply`, against the oracle; NaN waits in C where beta is 0.
void expect_right(Device device, const Multiply& multiply, Shape s, Layout a_layout, Layout b_layout,
                  float alpha, float beta, bool with_bias) {
  const auto a = uniform(s.M * s.K, -1, 1, 1), b = uniform(s.K * s.N, -1, 1, 2);
  const auto c = uniform(s.M * s.N, -1, 1, 3), bias = uniform(s.N, -1, 1, 4);
  auto expected = product_in_double(a, b, s);
  for (size_t i = 0; i < expected.size(); ++i) {
    expected[i] = double(alpha) * expected[i] + (beta == 0 ? 0 : double(beta) * double(c[i])) +
                  (with_bias ? double(bias[i % size_t(s.N)]) : 0);
  }
  const Operand left(a, s.M, s.K, a_layout), right(b, s.K, s.N, b_layout);
  DeviceArray<float> a_data(device, left.memory), b_data(device, right.memory), bias_data(device, bias);
  auto c_data = beta == 0 ? DeviceArray<float>(device, s.M * s.N) : DeviceArray<float>(device, c);
  multiply({.a = left.view<const float>(a_data.data()),
            .b = right.view<const float>(b_data.data()),
            .c = row_major(c_data.data(), s.M, s.N),
            .alpha = alpha,
            .beta = beta,
            .bias = with_bias ? bias_data.data() : nullptr});
  EXPECT_LE(max_relative_error(c_data.to_host(), expected), kTolerance)
      << "(" << s.M << ", " << s.K << ") x (" << s.K << ", " << s.N << "), transposed " << a_layout.transposed
      << b_layout.transposed << ", alpha " << alpha << ", beta " << beta << ", bias " << with_bias;
}

class MatmulTest : public OnEveryDevice {
 protected:
  Multiply multiply() const {
    return [device = device()](const Matmul& product) { matmul(device, product); };
  }
};

TEST_P(MatmulTest, AgreesWithTheDoubleOracleInEveryShapeAndLayout) {
  for (const Shape& shape : kShapes) {
    for (const Layout& a : kLayouts) {
      for (const Layout& b : kLayouts) expect_right(device(), multiply(), shape, a, b, 1, 0, false);
    }
  }
}

TEST_P(MatmulTest, ScalesAccumulatesAndAddsTheBias) {
  for (const Shape& shape : kShapes) {
    for (const bool bias : {false, true}) {
      for (const float beta : {0.0f, 1.0f, -0.5f}) {
        for (const float alpha : {1.0f, 0.125f}) {
          expect_right(device(), multiply(), shape, {false, 0}, {true, 0}, alpha, beta, bias);
          expect_right(device(), multiply(), shape, {true, 0}, {false, 0}, alpha, beta, bias);
        }
      }
    }
  }
}

// Writes into a block of a larger buffer, as attention writes one head of (B, T, 3C).
TEST_P(MatmulTest, LeavesAloneWhatLiesBetweenTheRowsOfC) {
  const Shape s{19, 16, 40};
  const int64_t row_stride = 50;
  const auto a = uniform(s.M * s.K, -1, 1, 1), b = uniform(s.K * s.N, -1, 1, 2);
  const auto expected = product_in_double(a, b, s);
  const std::vector<float> before = uniform(s.M * row_stride, 5, 6);
  DeviceArray<float> a_data(device(), a), b_data(device(), b), c_data(device(), before);
  matmul(device(), {.a = row_major<const float>(a_data.data(), s.M, s.K),
                    .b = row_major<const float>(b_data.data(), s.K, s.N),
                    .c = {c_data.data(), s.M, s.N, row_stride, 1}});
  const std::vector<float> after = c_data.to_host();
  std::vector<float> product;
  for (int64_t i = 0; i < s.M; ++i) {
    for (int64_t j = 0; j < row_stride; ++j) {
      const size_t at = size_t(i * row_stride + j);
      if (j < s.N) {
        product.push_back(after[at]);
      } else {
        EXPECT_EQ(after[at], before[at]) << "row " << i << ", column " << j;
      }
    }
  }
  EXPECT_LE(max_relative_error(product, expected), kTolerance);
}

// The heads of a packed (B, T, 3C) buffer, read and written in place.
struct Heads {
  int64_t B = 2, T = 21, heads = 3, hs = 16;

  int64_t C() const { return heads * hs; }
  template <class T_>
  MatrixView<T_> packed(T_* qkv, int64_t which) const {
    return {qkv + which * C(), T, hs, 3 * C(), 1, {T * 3 * C(), hs}};
  }
  template <class T_>
  MatrixView<T_> scores(T_* att) const {
    return {att, T, T, T, 1, {heads * T * T, T * T}};
  }
  size_t at(int64_t b, int64_t t, int64_t which, int64_t h, int64_t c) const {
    return size_t(((b * T + t) * 3 + which) * C() + h * hs + c);
  }
};

TEST_P(MatmulTest, MultipliesTheHeadsOfAPackedBuffer) {
  const Heads d;
  const auto qkv = uniform(d.B * d.T * 3 * d.C(), -1, 1);
  std::vector<double> expected;
  for (int64_t b = 0; b < d.B; ++b) {
    for (int64_t h = 0; h < d.heads; ++h) {
      for (int64_t t = 0; t < d.T; ++t) {
        for (int64_t u = 0; u < d.T; ++u) {
          double sum = 0;
          for (int64_t c = 0; c < d.hs; ++c)
            sum += double(qkv[d.at(b, t, 0, h, c)]) * double(qkv[d.at(b, u, 1, h, c)]);
          expected.push_back(0.25 * sum);
        }
      }
    }
  }
  DeviceArray<float> data(device(), qkv), att(device(), int64_t(expected.size()));
  matmul(device(), {.a = d.packed<const float>(data.data(), 0),
                    .b = d.packed<const float>(data.data(), 1).transposed(),
                    .c = d.scores(att.data()),
                    .batch = {d.B, d.heads},
                    .alpha = 0.25f});
  EXPECT_LE(max_relative_error(att.to_host(), expected), kTolerance);
}

TEST_P(MatmulTest, WritesOneThirdOfAPackedBufferAndLeavesTheOthers) {
  const Heads d;
  const auto att = uniform(d.B * d.heads * d.T * d.T, -1, 1, 1),
             dy = uniform(d.B * d.T * 3 * d.C(), -1, 1, 2);
  const auto before = uniform(d.B * d.T * 3 * d.C(), -1, 1, 3);
  std::vector<double> expected(before.begin(), before.end());
  for (int64_t b = 0; b < d.B; ++b) {
    for (int64_t h = 0; h < d.heads; ++h) {
      for (int64_t t = 0; t < d.T; ++t) {
        for (int64_t c = 0; c < d.hs; ++c) {
          double sum = 0;
          for (int64_t u = 0; u < d.T; ++u) {
            sum += double(att[size_t(((b * d.heads + h) * d.T + u) * d.T + t)]) *
                   double(dy[d.at(b, u, 0, h, c)]);
          }
          expected[d.at(b, t, 2, h, c)] += sum;  // dv += att^T dy
        }
      }
    }
  }
  DeviceArray<float> att_data(device(), att), dy_data(device(), dy), dqkv(device(), before);
  matmul(device(), {.a = d.scores<const float>(att_data.data()).transposed(),
                    .b = d.packed<const float>(dy_data.data(), 0),
                    .c = d.packed(dqkv.data(), 2),
                    .batch = {d.B, d.heads},
                    .beta = 1});
  EXPECT_LE(max_relative_error(dqkv.to_host(), expected), kTolerance);
}

TEST_P(MatmulTest, TheSameCallGivesTheSameBits) {
  const Shape s{256, 768, 2304};  // deep enough to be split between threads
  DeviceArray<float> a(device(), uniform(s.M * s.K, -1, 1, 1)), b(device(), uniform(s.K * s.N, -1, 1, 2));
  DeviceArray<float> c(device(), s.M * s.N);
  const Matmul product{.a = row_major<const float>(a.data(), s.M, s.K),
                       .b = row_major<const float>(b.data(), s.K, s.N),
                       .c = row_major(c.data(), s.M, s.N)};
  matmul(device(), product);
  const auto first = c.to_host();
  ASSERT_EQ(max_relative_error(first, first), 0);  // no NaN
  for (int i = 0; i < 5; ++i) {
    matmul(device(), product);
    EXPECT_EQ(std::memcmp(c.to_host().data(), first.data(), first.size() * sizeof(float)), 0);
  }
}

INSTANTIATE_ON_EVERY_DEVICE(MatmulTest);

TEST(MatmulOnTheCpu, IsRightWhenCalledInAParallelRegion) {
  const Shape s{65, 129, 300};
  const auto a = uniform(s.M * s.K, -1, 1, 1), b = uniform(s.K * s.N, -1, 1, 2),
             bias = uniform(s.N, -1, 1, 3);
  auto expected = product_in_double(a, b, s);
  for (size_t i = 0; i < expected.size(); ++i) expected[i] += double(bias[i % size_t(s.N)]);
  std::vector<std::vector<float>> results(16, std::vector<float>(expected.size(), NAN));
#pragma omp parallel for num_threads(4)
  for (size_t i = 0; i < results.size(); ++i) {
    cpu::matmul(Stream{}, {.a = row_major(a.data(), s.M, s.K),
                           .b = row_major(b.data(), s.K, s.N),
                           .c = row_major(results[i].data(), s.M, s.N),
                           .bias = bias.data()});
  }
  for (const auto& result : results) EXPECT_LE(max_relative_error(result, expected), kTolerance);
}

// What stands in for oneDNN is compiled and tested everywhere.
TEST(GemmLoop, AgreesWithTheDoubleOracleInEveryShapeAndLayout) {
  const Multiply multiply = [](const Matmul& p) { cpu::gemm_loop(p.a, p.b, p.c, p.alpha, p.beta); };
  for (const Shape& shape : kShapes) {
    for (const Layout& a : kLayouts) {
      for (const Layout& b : kLayouts) {
        for (const float beta : {0.0f, 1.0f, -0.5f})
          expect_right(kCpu, multiply, shape, a, b, 0.5f, beta, false);
      }
    }
  }
}

}  // namespace
}  // namespace gpt2
