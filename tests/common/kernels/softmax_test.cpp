#include "common/kernels/softmax.h"

#include "tests/common/oracle.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

class SoftmaxTest : public OnEveryDevice {
 protected:
  std::vector<float> forward(const std::vector<float>& x, int64_t cols) {
    const auto n = static_cast<int64_t>(x.size());
    DeviceArray<float> in(device(), x), out(device(), n);
    DISPATCH(device(), softmax_forward, out.data(), in.data(), n / cols, cols);
    return out.to_host();
  }
  std::vector<float> backward(const std::vector<float>& y, const std::vector<float>& dy, int64_t cols) {
    const auto n = static_cast<int64_t>(y.size());
    DeviceArray<float> in(device(), y), gradient(device(), dy), out(device(), n);
    DISPATCH(device(), softmax_backward, out.data(), in.data(), gradient.data(), n / cols, cols);
    return out.to_host();
  }
};

constexpr int64_t kWidths[] = {1, 2, 7, 31, 32, 33, 127, 256, 1000, 1025};

TEST(SoftmaxOracle, BackwardAgreesWithFiniteDifferences) {
  const Values x = to_double(uniform(3 * 17, -4, 4)), dy = to_double(uniform(3 * 17, -1, 1, 2));
  const auto loss = [&](const Values& at) { return dot(dy, oracle::softmax(at, 17)); };
  const Values dx = oracle::softmax_backward(oracle::softmax(x, 17), dy, 17);
  EXPECT_LE(max_relative_error(dx, finite_differences(loss, x)), 1e-8);
}

TEST_P(SoftmaxTest, AgreesWithTheDoubleOracle) {
  for (const int64_t cols : kWidths) {
    for (const double range : {1.0, 10.0, 80.0}) {
      const std::vector<float> x = uniform(5 * cols, -range, range);
      const Values expected = oracle::softmax(to_double(x), cols);
      EXPECT_LE(max_relative_error(forward(x, cols), expected), 1e-6) << cols << " " << range;
    }
  }
}

TEST_P(SoftmaxTest, BackwardAgreesWithTheDoubleOracle) {
  for (const int64_t cols : kWidths) {
    const std::vector<float> x = uniform(5 * cols, -5, 5), dy = uniform(5 * cols, -1, 1, 2);
    const std::vector<float> y = forward(x, cols);
    const Values expected = oracle::softmax_backward(to_double(y), to_double(dy), cols);
    // Of one column the derivative is 0 in exact arithmetic: compare absolutely.
    if (cols == 1) {
      for (const float dx : backward(y, dy, cols)) EXPECT_EQ(dx, 0);
    } else {
      EXPECT_LE(max_relative_error(backward(y, dy, cols), expected), 2e-6) << cols;
    }
  }
}

TEST_P(SoftmaxTest, MaskedEntriesBecomeZero) {
  for (const int64_t cols : {2, 33, 127}) {
    std::vector<float> x = uniform(cols * cols, -5, 5);
    for (int64_t i = 0; i < cols; ++i) {
      for (int64_t j = i + 1; j < cols; ++j) x[size_t(i * cols + j)] = -INFINITY;
    }
    const std::vector<float> y = forward(x, cols);
    EXPECT_LE(max_relative_error(y, oracle::softmax(to_double(x), cols)), 1e-6) << cols;
    for (size_t i = 0; i < x.size(); ++i) EXPECT_TRUE(x[i] != -INFINITY || y[i] == 0) << i;
  }
}

TEST_P(SoftmaxTest, ShiftsBeforeItTakesTheExponential) {
  EXPECT_EQ(forward({1e30f, 1e30f, -1e30f, -1e30f}, 2), (std::vector<float>{0.5, 0.5, 0.5, 0.5}));
  EXPECT_EQ(forward({-1e30f, 1e30f}, 2), (std::vector<float>{0, 1}));
}

TEST_P(SoftmaxTest, NanInARowSpoilsThatRowAlone) {
  std::vector<float> x = uniform(3 * 33, -5, 5);
  x[33 + 5] = NAN;
  const std::vector<float> y = forward(x, 33);
  for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), i / 33 == 1) << i;
}

TEST_P(SoftmaxTest, WorksInPlace) {
  const std::vector<float> x = uniform(9 * 127, -5, 5), dy = uniform(9 * 127, -1, 1, 2);
  DeviceArray<float> in(device(), x), gradient(device(), dy);
  DISPATCH(device(), softmax_forward, in.data(), in.data(), 9, 127);
  EXPECT_EQ(in.to_host(), forward(x, 127));
  DISPATCH(device(), softmax_backward, gradient.data(), in.data(), gradient.data(), 9, 127);
  EXPECT_EQ(gradient.to_host(), backward(forward(x, 127), dy, 127));
}

TEST_P(SoftmaxTest, GivesTheSameBitsEveryTime) {
  const std::vector<float> x = uniform(201 * 255, -5, 5), dy = uniform(201 * 255, -1, 1, 2);
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return forward(x, 255); }));
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return backward(x, dy, 255); }));
}

INSTANTIATE_ON_EVERY_DEVICE(SoftmaxTest);

}  // namespace
}  // namespace gpt2::testing
