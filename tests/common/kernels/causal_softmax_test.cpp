#include "common/kernels/causal_softmax.h"

#include "tests/common/oracle.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

constexpr float kScale = 0.125f;  // exact, so that the oracle has the same
constexpr int64_t kMatrices = 2;
constexpr int64_t kLengths[] = {1, 2, 7, 8, 31, 33, 64, 127, 257};

class CausalSoftmaxTest : public OnEveryDevice {
 protected:
  template <class E = float>
  std::vector<float> forward(const std::vector<float>& x, int64_t T, float scale = kScale) {
    const auto n = static_cast<int64_t>(x.size());
    DeviceArray<E> in(device(), as<E>(x)), out(device(), n);
    DISPATCH(device(), causal_softmax_forward, out.data(), in.data(), scale, n / (T * T), T);
    return as<float>(out.to_host());
  }
  template <class E = float>
  std::vector<float> backward(const std::vector<float>& y, const std::vector<float>& dy, int64_t T) {
    const auto n = static_cast<int64_t>(y.size());
    DeviceArray<E> in(device(), as<E>(y)), gradient(device(), as<E>(dy)), out(device(), n);
    DISPATCH(device(), causal_softmax_backward, out.data(), in.data(), gradient.data(), kScale, n / (T * T),
             T);
    return as<float>(out.to_host());
  }
};

// x with `value` wherever a later position would be seen.
std::vector<float> behind_the_mask(std::vector<float> x, int64_t T, float value) {
  for (int64_t i = 0; i < int64_t(x.size()); ++i) {
    if (i % T > i / T % T) x[size_t(i)] = value;
  }
  return x;
}

TEST(CausalSoftmaxOracle, BackwardAgreesWithFiniteDifferences) {
  const int64_t T = 7, n = 2 * T * T;
  const Values x = to_double(uniform(n, -4, 4)), dy = to_double(uniform(n, -1, 1, 2));
  const auto loss = [&](const Values& at) { return dot(dy, oracle::causal_softmax(at, 0.3, T)); };
  const Values dx = oracle::causal_softmax_backward(oracle::causal_softmax(x, 0.3, T), dy, 0.3, T);
  EXPECT_LE(max_relative_error(dx, finite_differences(loss, x)), 1e-8);
}

TEST_P(CausalSoftmaxTest, AgreesWithTheDoubleOracleAndReadsNothingBehindTheMask) {
  for_float_and_bf16([&](auto type) {
    using E = decltype(type);
    for (const int64_t T : kLengths) {
      for (const double range : {1.0, 80.0, 600.0}) {
        const auto x = representable<E>(uniform(kMatrices * T * T, -range, range));
        const auto y = forward<E>(behind_the_mask(x, T, NAN), T);
        const Values expected = oracle::causal_softmax(to_double(x), kScale, T);
        EXPECT_LE(max_relative_error(y, expected), 2e-6 + kRounding<E>) << T << " " << range;
        EXPECT_EQ(y, behind_the_mask(y, T, 0)) << T;
      }
    }
  });
}

TEST_P(CausalSoftmaxTest, BackwardAgreesWithTheDoubleOracleAndReadsNothingBehindTheMask) {
  for_float_and_bf16([&](auto type) {
    using E = decltype(type);
    for (const int64_t T : kLengths) {
      if (T == 1) continue;  // the gradient is 0: see below
      const auto y = forward<E>(uniform(kMatrices * T * T, -40, 40), T);
      const auto dy = representable<E>(uniform(kMatrices * T * T, -1, 1, 2));
      const auto dx = backward<E>(y, behind_the_mask(dy, T, NAN), T);
      const Values expected = oracle::causal_softmax_backward(to_double(y), to_double(dy), kScale, T);
      // Rows of bf16 probabilities add up to 1 within their rounding only; the oracle's Jacobian has sum(y) = 1.
      EXPECT_LE(max_relative_error(dx, expected), 3e-6 + 2 * kRounding<E>) << T;
      EXPECT_EQ(dx, behind_the_mask(dx, T, 0)) << T;
    }
  });
}

TEST_P(CausalSoftmaxTest, TheFirstPositionSeesItselfAlone) {
  EXPECT_EQ(forward({7}, 1), (std::vector<float>{1}));
  EXPECT_EQ(forward({7, 8, 3, 3}, 2), (std::vector<float>{1, 0, 0.5, 0.5}));
  EXPECT_EQ(backward({1}, {3}, 1), (std::vector<float>{0}));
}

TEST_P(CausalSoftmaxTest, ShiftsBeforeItTakesTheExponential) {
  EXPECT_EQ(forward({1e30f, 0, 1e30f, 1e30f}, 2), (std::vector<float>{1, 0, 0.5, 0.5}));
  EXPECT_EQ(forward({-1e30f, 0, -1e30f, 1e30f}, 2), (std::vector<float>{1, 0, 0, 1}));
}

TEST_P(CausalSoftmaxTest, NanInARowSpoilsWhatThatRowSeesAlone) {
  for_float_and_bf16([&](auto type) {
    using E = decltype(type);
    const int64_t T = 33, row = 9;
    std::vector<float> x = uniform(2 * T * T, -5, 5), dy = x;
    dy[size_t(row * T + 4)] = NAN;
    const auto dx = backward<E>(forward<E>(x, T), dy, T);
    x[size_t(row * T + 4)] = NAN;
    const auto y = forward<E>(x, T);
    for (int64_t i = 0; i < 2 * T * T; ++i) {
      const bool spoilt = i / T == row && i % T <= row;
      EXPECT_EQ(std::isnan(y[size_t(i)]), spoilt) << i;
      EXPECT_EQ(std::isnan(dx[size_t(i)]), spoilt) << i;
    }
  });
}

TEST_P(CausalSoftmaxTest, WorksInPlace) {
  for_float_and_bf16([&](auto type) {
    using E = decltype(type);
    for (const int64_t T : {33, 64}) {
      const auto x = uniform(kMatrices * T * T, -5, 5), dy = uniform(kMatrices * T * T, -1, 1, 2);
      DeviceArray<E> in(device(), as<E>(x)), gradient(device(), as<E>(dy));
      DISPATCH(device(), causal_softmax_forward, in.data(), in.data(), kScale, kMatrices, T);
      EXPECT_EQ(as<float>(in.to_host()), forward<E>(x, T));
      DISPATCH(device(), causal_softmax_backward, gradient.data(), in.data(), gradient.data(), kScale,
               kMatrices, T);
      EXPECT_EQ(as<float>(gradient.to_host()), backward<E>(forward<E>(x, T), dy, T));
    }
  });
}

// Longer than what a warp has in flight at once.
TEST_P(CausalSoftmaxTest, OfLongRows) {
  for_float_and_bf16([&](auto type) {
    using E = decltype(type);
    const int64_t T = 1100;
    const auto x = representable<E>(uniform(T * T, -60, 60));
    const auto y = forward<E>(x, T);
    for (const int64_t row : {0L, 511L, 512L, 1023L, 1024L, T - 1}) {
      const auto begin = y.begin() + row * T;
      Values visible(x.begin() + row * T, x.begin() + row * T + row + 1);
      for (double& value : visible) value *= kScale;
      EXPECT_LE(
          max_relative_error(std::vector<float>(begin, begin + row + 1), oracle::softmax(visible, row + 1)),
          2e-6 + kRounding<E>)
          << row;
    }
    EXPECT_EQ(y, behind_the_mask(y, T, 0));
  });
}

// Rows begin at every place of a piece, in both arrays.
TEST_P(CausalSoftmaxTest, MemoryMayBeginAnywhere) {
  for_float_and_bf16([&](auto type) {
    using E = decltype(type);
    const int64_t T = 40, n = 2 * T * T;
    const auto x = uniform(n, -5, 5);
    const auto expected = forward<E>(x, T);
    for (const auto& [from, to] : {std::pair{1, 1}, {1, 3}, {0, 2}, {7, 0}}) {
      std::vector<E> shifted(size_t(from), E(0.0f));
      for (const float value : x) shifted.push_back(E(value));
      DeviceArray<E> in(device(), shifted), out(device(), n + to);
      DISPATCH(device(), causal_softmax_forward, out.data() + to, in.data() + from, kScale, 2, T);
      const auto y = as<float>(out.to_host());
      EXPECT_LE(max_relative_error(std::vector<float>(y.begin() + to, y.end()), expected),
                1e-6 + kRounding<E>)
          << from << " to " << to;
    }
  });
}

TEST_P(CausalSoftmaxTest, GivesTheSameBitsEveryTime) {
  const int64_t T = 130;
  const auto x = uniform(5 * T * T, -5, 5), dy = uniform(5 * T * T, -1, 1, 2);
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return forward(x, T); }));
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return backward(forward(x, T), dy, T); }));
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return forward<bf16>(x, T); }));
}

INSTANTIATE_ON_EVERY_DEVICE(CausalSoftmaxTest);

}  // namespace
}  // namespace gpt2::testing
