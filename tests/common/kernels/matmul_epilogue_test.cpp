// Matrix products with what was added to them: precision in 05_tf32, bf16 in 06_bf16, epilogues in 07_fusion.
#include <cstring>

#include "tests/common/kernels/matmul_cases.h"
#include "tests/common/oracle.h"

namespace gpt2::testing {
namespace {

// x w^T + bias, of uniform values
std::vector<float> product(Device device, Sizes s, MatmulPrecision precision) {
  DeviceArray<float> x(device, uniform(s.M * s.K, -1, 1, 1)), w(device, uniform(s.N * s.K, -1, 1, 2));
  DeviceArray<float> bias(device, uniform(s.N, -1, 1, 3)), y(device, s.M * s.N);
  matmul(device, {.a = row_major<const float>(x.data(), s.M, s.K),
                  .b = row_major<const float>(w.data(), s.N, s.K).transposed(),
                  .c = row_major(y.data(), s.M, s.N),
                  .bias = bias.data(),
                  .precision = precision});
  return y.to_host();
}

// Both operands are off by at most `rounding` of themselves, so each product by twice that; and float sums.
void expect_error_within(Device device, Sizes s, MatmulPrecision precision, double rounding) {
  const auto x = uniform(s.M * s.K, -1, 1, 1), w = uniform(s.N * s.K, -1, 1, 2),
             bias = uniform(s.N, -1, 1, 3);
  const auto y = product(device, s, precision);
  for (int64_t i = 0; i < s.M; ++i) {
    for (int64_t j = 0; j < s.N; ++j) {
      double sum = double(bias[size_t(j)]), sum_of_sizes = 0;
      for (int64_t k = 0; k < s.K; ++k) {
        const double term = double(x[size_t(i * s.K + k)]) * double(w[size_t(j * s.K + k)]);
        sum += term;
        sum_of_sizes += std::abs(term);
      }
      ASSERT_LE(std::abs(double(y[size_t(i * s.N + j)]) - sum),
                2.01 * rounding * sum_of_sizes + 1e-6 * (1 + sum_of_sizes))
          << "(" << i << ", " << j << ") of (" << s.M << ", " << s.N << "), " << s.K << " terms";
    }
  }
}

class MatmulPrecisionTest : public OnEveryDevice {};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST_P(MatmulPrecisionTest, RoundsOperandsNoFurtherThanItSays) {
  for (const Sizes& s : kSizes) {
    expect_error_within(device(), s, MatmulPrecision::highest, 0);
    expect_error_within(device(), s, MatmulPrecision::high,
                        1.0 / 1024);  // TF32 keeps 10 bits, however it drops the rest
    expect_error_within(device(), s, MatmulPrecision::medium, 1.0 / 512);  // bf16 keeps 7, to nearest
  }
}

INSTANTIATE_ON_EVERY_DEVICE(MatmulPrecisionTest);

// 04_overfit's numbers are those of 05_tf32 at --matmul-precision highest, and on a CPU at high too.
TEST(MatmulPrecisionOnTheCpu, HighIsHighestAndMediumIsNot) {
  for (const Sizes& s : kSizes) {
    const auto highest = product(kCpu, s, MatmulPrecision::highest);
    EXPECT_TRUE(same_bits(highest, product(kCpu, s, MatmulPrecision::high)));
    EXPECT_FALSE(same_bits(highest, product(kCpu, s, MatmulPrecision::medium)));
  }
}

class MatmulEpilogueTest : public OnEveryDevice {};

// The product with a GELU behind it, against the oracle: operands of type X, results of type Y.
template <class X, class Y>
void expect_right_gelu(Device device, Sizes s, bool with_bias) {
  const auto a = uniform_of<X>(s.M * s.K, -2, 2, 1), b = uniform_of<X>(s.N * s.K, -2, 2, 2);
  const auto bias = uniform_of<Y>(s.N, -3, 3, 3);
  const Operand<X> weight(b, s.K, s.N, {true, 0});
  DeviceArray<X> a_data(device, a), b_data(device, weight.memory);
  DeviceArray<Y> bias_data(device, bias), aux(device, s.M * s.N), c(device, s.M * s.N);
  matmul(device, {.a = row_major<const X>(a_data.data(), s.M, s.K),
                  .b = weight.view(b_data.data()),
                  .c = row_major(c.data(), s.M, s.N),
                  .bias = with_bias ? bias_data.data() : nullptr,
                  .epilogue = Epilogue::gelu,
                  .aux = aux.data()});
  Values before = product_in_double(a, b, s);
  for (size_t i = 0; with_bias && i < before.size(); ++i) before[i] += double(bias[i % size_t(s.N)]);
  EXPECT_LE(max_relative_error(aux.to_host(), before), (tolerance<X, Y>(device, s.K)))
      << s.M << " " << s.N << " " << s.K;
  // Two roundings where the GELU reads what has been written to aux.
  EXPECT_LE(max_relative_error(c.to_host(), oracle::gelu(before)), (2 * tolerance<X, Y>(device, s.K)))
      << s.M << " " << s.N << " " << s.K << ", bias " << with_bias;
}

// The gradient that goes back through a linear layer, dy W, and then through a GELU of aux.
template <class X, class Y>
void expect_right_gelu_gradient(Device device, Sizes s) {
  const auto dy = uniform_of<X>(s.M * s.K, -1, 1, 1), weight = uniform_of<X>(s.K * s.N, -1, 1, 2);
  const auto aux = uniform_of<Y>(s.M * s.N, -6, 6, 3);
  DeviceArray<X> dy_data(device, dy), weight_data(device, weight);
  DeviceArray<Y> aux_data(device, aux), dx(device, s.M * s.N);
  matmul(device, {.a = row_major<const X>(dy_data.data(), s.M, s.K),
                  .b = row_major<const X>(weight_data.data(), s.K, s.N),
                  .c = row_major(dx.data(), s.M, s.N),
                  .epilogue = Epilogue::gelu_grad,
                  .aux = aux_data.data()});
  const Values expected =
      oracle::gelu_backward(Values(aux.begin(), aux.end()), product_in_double(dy, weight, s));
  EXPECT_LE(max_relative_error(dx.to_host(), expected), (2 * tolerance<X, Y>(device, s.K)))
      << s.M << " " << s.N << " " << s.K;
  const auto after = aux_data.to_host();
  EXPECT_EQ(std::memcmp(after.data(), aux.data(), aux.size() * sizeof(Y)), 0);  // read, not written
}

// The gradients of a linear layer's weight and bias: C = alpha dy^T x + beta C, and the sums of dy's columns.
template <class X, class Y>
void expect_right_row_sums(Device device, Sizes s, float beta) {
  const auto dy = uniform_of<X>(s.K * s.M, -1, 2, 1), x = uniform_of<X>(s.K * s.N, -1, 1, 2);
  const auto old = representable<Y>(uniform(s.M * s.N, -1, 1, 3));
  DeviceArray<X> dy_data(device, dy), x_data(device, x);
  DeviceArray<Y> c(device, as<Y>(beta == 0 ? std::vector<float>(old.size(), NAN) : old)), sums(device, s.M);
  matmul(device, {.a = row_major<const X>(dy_data.data(), s.K, s.M).transposed(),
                  .b = row_major<const X>(x_data.data(), s.K, s.N),
                  .c = row_major(c.data(), s.M, s.N),
                  .beta = beta,
                  .epilogue = Epilogue::row_sums,
                  .aux = sums.data()});
  Values expected(static_cast<size_t>(s.M));
  std::vector<X> transposed(dy.size());
  for (int64_t i = 0; i < s.M; ++i) {
    for (int64_t k = 0; k < s.K; ++k) {
      const X value = dy[size_t(k * s.M + i)];
      expected[size_t(i)] += double(value);
      transposed[size_t(i * s.K + k)] = value;
    }
  }
  Values product = product_in_double(transposed, x, s);
  for (size_t i = 0; i < product.size(); ++i) product[i] += double(beta) * double(old[i]);
  EXPECT_LE(max_relative_error(sums.to_host(), expected), 1e-6 + kRounding<Y>)
      << s.M << " " << s.N << " " << s.K;
  EXPECT_LE(max_relative_error(c.to_host(), product), kTolerance<Y>) << s.M << " " << s.N << " " << s.K;
}

// Alpha in the device's memory, as the classifier's gradient has it; the product must not read it before.
template <class X>
void expect_right_alpha(Device device, Sizes s, float beta) {
  const auto a = uniform_of<X>(s.M * s.K, -1, 1, 1), b = uniform_of<X>(s.K * s.N, -1, 1, 2);
  const auto old = uniform(s.M * s.N, -1, 1, 3);
  DeviceArray<X> a_data(device, a), b_data(device, b);
  DeviceArray<float> c(device, beta == 0 ? std::vector<float>(old.size(), NAN) : old);
  DeviceArray<float> alpha(device, std::vector<float>{-0.3f});
  matmul(device, {.a = row_major<const X>(a_data.data(), s.M, s.K),
                  .b = row_major<const X>(b_data.data(), s.K, s.N),
                  .c = row_major(c.data(), s.M, s.N),
                  .beta = beta,
                  .alpha_on_device = alpha.data()});
  Values expected = product_in_double(a, b, s);
  for (size_t i = 0; i < expected.size(); ++i) {
    expected[i] = double(-0.3f) * expected[i] + double(beta) * double(old[i]);
  }
  EXPECT_LE(max_relative_error(c.to_host(), expected), kTolerance<float>) << s.M << " " << s.N << " " << s.K;
}

// Rows that cuBLASLt can do the epilogue for, and rows that it cannot.
constexpr Sizes kMore[] = {{5, 24, 16}, {33, 256, 48}, {24, 8, 130}};

template <class Check>
void for_all_sizes(const Check& check) {
  for (const Sizes& s : kSizes) check(s);
  for (const Sizes& s : kMore) check(s);
}

TEST_P(MatmulEpilogueTest, GeluAgreesWithTheDoubleOracleAndKeepsWhatWasBefore) {
  for_all_sizes([this](const Sizes& s) {
    for (const bool bias : {false, true}) {
      expect_right_gelu<float, float>(device(), s, bias);
      expect_right_gelu<bf16, bf16>(device(), s, bias);
      expect_right_gelu<bf16, float>(device(), s, bias);
    }
  });
}

TEST_P(MatmulEpilogueTest, GradientOfGeluAgreesWithTheDoubleOracle) {
  for_all_sizes([this](const Sizes& s) {
    expect_right_gelu_gradient<float, float>(device(), s);
    expect_right_gelu_gradient<bf16, bf16>(device(), s);
    expect_right_gelu_gradient<bf16, float>(device(), s);
  });
}

TEST_P(MatmulEpilogueTest, RowSumsAgreeWithTheDoubleOracle) {
  for_all_sizes([this](const Sizes& s) {
    for (const float beta : {0.0f, 1.0f}) {
      expect_right_row_sums<float, float>(device(), s, beta);
      expect_right_row_sums<bf16, float>(device(), s, beta);
      expect_right_row_sums<bf16, bf16>(device(), s, beta);
    }
  });
}

TEST_P(MatmulEpilogueTest, AlphaMayBeOnTheDevice) {
  for_all_sizes([this](const Sizes& s) {
    for (const float beta : {0.0f, 1.0f}) {
      expect_right_alpha<float>(device(), s, beta);
      expect_right_alpha<bf16>(device(), s, beta);
    }
  });
}

TEST_P(MatmulEpilogueTest, TuningChangesNoResult) {
  const MatmulTuning tuning(true);
  expect_right_row_sums<bf16, float>(device(), {24, 32, 40}, 1);
  expect_right_alpha<bf16>(device(), {24, 32, 40}, 1);
  for (const int64_t n : {32, 35}) {  // in one and not
    expect_right_gelu<bf16, bf16>(device(), {20, n, 44}, true);
    expect_right_gelu_gradient<bf16, bf16>(device(), {20, n, 44});
  }
}

INSTANTIATE_ON_EVERY_DEVICE(MatmulEpilogueTest);

// From the second time on, a product finds all the memory it needs: its copies, oneDNN's scratchpad, plans.
class MatmulMemoryTest : public OnEveryDevice {};

TEST_P(MatmulMemoryTest, AsksForNoMoreAfterTheSecondTime) {
  const auto products = [this] {
    expect_right_gelu<bf16, bf16>(device(), {48, 256, 192}, true);
    expect_right_gelu<bf16, float>(device(), {64, 8, 2048}, false);  // deep: summed by several threads
  };
  products();
  products();
  const size_t requests = heap(device()).requests();
  for (int i = 0; i < 3; ++i) products();
  EXPECT_EQ(heap(device()).requests(), requests);
}

INSTANTIATE_ON_EVERY_DEVICE(MatmulMemoryTest);

}  // namespace
}  // namespace gpt2::testing
