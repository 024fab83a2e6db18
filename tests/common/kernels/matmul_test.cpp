#include "common/kernels/matmul.h"

#include <cstring>
#include <functional>

#include "common/kernels/cpu/gemm_loop.h"
#include "tests/common/kernels/matmul_cases.h"

namespace gpt2::testing {
namespace {

using Multiply = std::function<void(const Matmul&)>;

// alpha A B + beta C + bias by `multiply`, against the oracle; NaN waits in C where beta is 0. A and B of
// type X, C and bias of type Y.
template <class X, class Y>
void expect_right(Device device, const Multiply& multiply, Sizes s, Layout a_layout, Layout b_layout,
                  float alpha, float beta, bool with_bias) {
  const auto a = uniform_of<X>(s.M * s.K, -1, 1, 1), b = uniform_of<X>(s.K * s.N, -1, 1, 2);
  const auto c = uniform_of<Y>(s.M * s.N, -1, 1, 3), bias = uniform_of<Y>(s.N, -1, 1, 4);
  auto expected = product_in_double(a, b, s);
  for (size_t i = 0; i < expected.size(); ++i) {
    expected[i] = double(alpha) * expected[i] + (beta == 0 ? 0 : double(beta) * double(c[i])) +
                  (with_bias ? double(bias[i % size_t(s.N)]) : 0);
  }
  const Operand<X> left(a, s.M, s.K, a_layout), right(b, s.K, s.N, b_layout);
  DeviceArray<X> a_data(device, left.memory), b_data(device, right.memory);
  DeviceArray<Y> bias_data(device, bias);
  auto c_data = beta == 0 ? DeviceArray<Y>(device, s.M * s.N) : DeviceArray<Y>(device, c);
  multiply({.a = left.view(a_data.data()),
            .b = right.view(b_data.data()),
            .c = row_major(c_data.data(), s.M, s.N),
            .alpha = alpha,
            .beta = beta,
            .bias = with_bias ? bias_data.data() : nullptr});
  EXPECT_LE(max_relative_error(c_data.to_host(), expected), (tolerance<X, Y>(device, s.K)))
      << to_string(dtype_of<X>) << " to " << to_string(dtype_of<Y>) << ", (" << s.M << ", " << s.K << ") x ("
      << s.K << ", " << s.N << "), transposed " << a_layout.transposed << b_layout.transposed << ", alpha "
      << alpha << ", beta " << beta << ", bias " << with_bias;
}

class MatmulTest : public OnEveryDevice {
 protected:
  Multiply multiply() const {
    return [device = device()](const Matmul& product) { matmul(device, product); };
  }
};

TEST_P(MatmulTest, AgreesWithTheDoubleOracleInEveryShapeAndLayout) {
  for (const Sizes& sizes : kSizes) {
    for (const Layout& a : kLayouts) {
      for (const Layout& b : kLayouts) {
        expect_right<float, float>(device(), multiply(), sizes, a, b, 1, 0, false);
        expect_right<bf16, float>(device(), multiply(), sizes, a, b, 1, 0, false);
        expect_right<bf16, bf16>(device(), multiply(), sizes, a, b, 1, 0, false);
      }
    }
  }
}

TEST_P(MatmulTest, ScalesAccumulatesAndAddsTheBias) {
  for (const Sizes& sizes : kSizes) {
    for (const bool bias : {false, true}) {
      for (const float alpha : {1.0f, 0.125f}) {
        for (const float beta : {0.0f, 1.0f, -0.5f}) {
          expect_right<float, float>(device(), multiply(), sizes, {false, 0}, {true, 0}, alpha, beta, bias);
          expect_right<float, float>(device(), multiply(), sizes, {true, 0}, {false, 0}, alpha, beta, bias);
          expect_right<bf16, float>(device(), multiply(), sizes, {true, 0}, {false, 0}, alpha, beta, bias);
        }
        expect_right<bf16, bf16>(device(), multiply(), sizes, {false, 0}, {true, 0}, alpha, 0, bias);
      }
    }
  }
}

// The depth of the largest products of a training step on two cores' worth of tokens.
TEST_P(MatmulTest, DeepSumsOfBf16StayWithinTheToleranceOfTheirDepth) {
  for (const int64_t K : {512, 2048, 8192}) {
    expect_right<bf16, float>(device(), multiply(), {16, K, 24}, {true, 0}, {false, 0}, 1, 0, false);
  }
}

// A matrix of one row or one column is read at the stride it has. oneDNN 3.7 does not: it reads NaN from the gaps.
TEST_P(MatmulTest, ReadsOneLineAtAnyStride) {
  constexpr Sizes kOfOneLine[] = {{1, 64, 768}, {64, 1, 768}, {64, 64, 1},
                                  {1, 64, 1},   {64, 1, 1},   {1, 1, 64}};
  constexpr Layout kWithGaps[] = {{false, 7}, {true, 7}};
  for (const Sizes& sizes : kOfOneLine) {
    for (const Layout& a : kWithGaps) {
      for (const Layout& b : kWithGaps) {
        for (const bool bias : {false, true}) {
          expect_right<float, float>(device(), multiply(), sizes, a, b, 1, 0, bias);
          expect_right<bf16, float>(device(), multiply(), sizes, a, b, 1, 0, bias);
          expect_right<bf16, bf16>(device(), multiply(), sizes, a, b, 1, 0, bias);
        }
      }
    }
  }
}

// Writes into a block of a larger buffer, as attention writes one head of (B, T, 3C).
TEST_P(MatmulTest, LeavesAloneWhatLiesBetweenTheRowsOfC) {
  const Sizes s{19, 16, 40};
  const int64_t row_stride = 50;
  const auto a = uniform(s.M * s.K, -1, 1, 1), b = uniform(s.K * s.N, -1, 1, 2);
  const auto expected = product_in_double(a, b, s);
  const std::vector<float> before = uniform(s.M * row_stride, 5, 6);
  DeviceArray<float> a_data(device(), a), b_data(device(), b), c_data(device(), before);
  matmul(device(), {.a = row_major<const float>(a_data.data(), s.M, s.K),
                    .b = row_major<const float>(b_data.data(), s.K, s.N),
                    .c = {c_data.data(), DType::f32, s.M, s.N, row_stride, 1}});
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
  EXPECT_LE(max_relative_error(product, expected), kTolerance<float>);
}

// The heads of a packed (B, T, 3C) buffer, read and written in place.
struct Heads {
  int64_t B = 2, T = 21, heads = 3, hs = 16;

  int64_t C() const { return heads * hs; }
  template <class X>
  MatrixView packed(X* qkv, int64_t which) const {
    return {qkv + which * C(), dtype_of<X>, T, hs, 3 * C(), 1, {T * 3 * C(), hs}};
  }
  template <class X>
  MatrixView scores(X* att) const {
    return {att, dtype_of<X>, T, T, T, 1, {heads * T * T, T * T}};
  }
  size_t at(int64_t b, int64_t t, int64_t which, int64_t h, int64_t c) const {
    return size_t(((b * T + t) * 3 + which) * C() + h * hs + c);
  }
};

template <class X, class Y>
void expect_right_scores(Device device) {
  const Heads d;
  const auto qkv = uniform_of<X>(d.B * d.T * 3 * d.C(), -1, 1, 1);
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
  DeviceArray<X> data(device, qkv);
  DeviceArray<Y> att(device, int64_t(expected.size()));
  matmul(device, {.a = d.packed(data.data(), 0),
                  .b = d.packed(data.data(), 1).transposed(),
                  .c = d.scores(att.data()),
                  .batch = {d.B, d.heads},
                  .alpha = 0.25f});
  EXPECT_LE(max_relative_error(att.to_host(), expected), kTolerance<Y>);
}

TEST_P(MatmulTest, MultipliesTheHeadsOfAPackedBuffer) {
  expect_right_scores<float, float>(device());
  expect_right_scores<bf16, float>(device());
  expect_right_scores<bf16, bf16>(device());
}

// dv = att^T dy + beta dv, dv being one third of a packed buffer.
template <class X>
void expect_right_third(Device device, float beta) {
  const Heads d;
  const auto att = uniform_of<X>(d.B * d.heads * d.T * d.T, -1, 1, 1),
             dy = uniform_of<X>(d.B * d.T * 3 * d.C(), -1, 1, 2);
  const auto before = uniform_of<X>(d.B * d.T * 3 * d.C(), -1, 1, 3);
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
          double& dv = expected[d.at(b, t, 2, h, c)];
          dv = double(beta) * dv + sum;
        }
      }
    }
  }
  DeviceArray<X> att_data(device, att), dy_data(device, dy), dqkv(device, before);
  matmul(device, {.a = d.scores(att_data.data()).transposed(),
                  .b = d.packed(dy_data.data(), 0),
                  .c = d.packed(dqkv.data(), 2),
                  .batch = {d.B, d.heads},
                  .beta = beta});
  EXPECT_LE(max_relative_error(dqkv.to_host(), expected), kTolerance<X>);
}

TEST_P(MatmulTest, WritesOneThirdOfAPackedBufferAndLeavesTheOthers) {
  expect_right_third<float>(device(), 0);
  expect_right_third<float>(device(), 1);
  expect_right_third<bf16>(device(), 0);
}

template <class T>
void expect_the_same_bits(Device device) {
  const Sizes s{256, 768, 2304};  // deep enough to be split between threads
  DeviceArray<T> a(device, uniform_of<T>(s.M * s.K, -1, 1, 1)), b(device, uniform_of<T>(s.K * s.N, -1, 1, 2));
  DeviceArray<float> c(device, s.M * s.N);
  const Matmul product{.a = row_major<const T>(a.data(), s.M, s.K),
                       .b = row_major<const T>(b.data(), s.K, s.N),
                       .c = row_major(c.data(), s.M, s.N)};
  matmul(device, product);
  const auto first = c.to_host();
  ASSERT_EQ(max_relative_error(first, first), 0);  // no NaN
  for (int i = 0; i < 5; ++i) {
    matmul(device, product);
    EXPECT_EQ(std::memcmp(c.to_host().data(), first.data(), first.size() * sizeof(float)), 0);
  }
}

TEST_P(MatmulTest, TheSameCallGivesTheSameBits) {
  expect_the_same_bits<float>(device());
  expect_the_same_bits<bf16>(device());
}

// A product met for the first time is run several times on the way; that must not be seen in its result.
TEST_P(MatmulTest, TuningChangesNoResult) {
  const Multiply tuned = [device = device()](const Matmul& product) {
    const MatmulTuning tuning(true);
    matmul(device, product);
  };
  const Sizes s{40, 72, 56};  // no other test's
  for (const float beta : {1.0f, 0.0f}) {
    expect_right<float, float>(device(), tuned, s, {false, 0}, {true, 0}, 1, beta, false);
    expect_right<bf16, float>(device(), tuned, s, {true, 0}, {false, 0}, 1, beta, false);
    expect_right<bf16, bf16>(device(), tuned, s, {false, 0}, {true, 3}, 0.5f, 0, true);
  }
  EXPECT_FALSE(context().tune_matmul);
}

INSTANTIATE_ON_EVERY_DEVICE(MatmulTest);

template <class T>
void expect_right_in_a_parallel_region() {
  const Sizes s{65, 129, 300};
  const auto a = uniform_of<T>(s.M * s.K, -1, 1, 1), b = uniform_of<T>(s.K * s.N, -1, 1, 2);
  const auto bias = uniform(s.N, -1, 1, 3);
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
  for (const auto& result : results) EXPECT_LE(max_relative_error(result, expected), kTolerance<float>);
}

TEST(MatmulOnTheCpu, IsRightWhenCalledInAParallelRegion) { expect_right_in_a_parallel_region<float>(); }

// What stands in for oneDNN is compiled and tested everywhere.
TEST(GemmLoop, AgreesWithTheDoubleOracleInEveryShapeAndLayout) {
  const Multiply multiply = [](const Matmul& p) { cpu::gemm_loop(p.a, p.b, p.c, p.alpha, p.beta); };
  for (const Sizes& sizes : kSizes) {
    for (const Layout& a : kLayouts) {
      for (const Layout& b : kLayouts) {
        for (const float beta : {0.0f, 1.0f, -0.5f})
          expect_right<float, float>(kCpu, multiply, sizes, a, b, 0.5f, beta, false);
      }
    }
  }
}

}  // namespace
}  // namespace gpt2::testing
