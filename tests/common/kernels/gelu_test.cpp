#include "common/kernels/gelu.h"

#include "tests/common/oracle.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

class GeluTest : public OnEveryDevice {
 protected:
  template <class T = float>
  std::vector<float> forward(const std::vector<float>& x) {
    const auto n = static_cast<int64_t>(x.size());
    DeviceArray<T> in(device(), as<T>(x)), out(device(), n);
    DISPATCH(device(), gelu_forward, out.data(), in.data(), n);
    return as<float>(out.to_host());
  }
  template <class T = float>
  std::vector<float> backward(const std::vector<float>& x, const std::vector<float>& dy) {
    const auto n = static_cast<int64_t>(x.size());
    DeviceArray<T> in(device(), as<T>(x)), gradient(device(), as<T>(dy)), out(device(), n);
    DISPATCH(device(), gelu_backward, out.data(), in.data(), gradient.data(), n);
    return as<float>(out.to_host());
  }
};

TEST(GeluOracle, BackwardAgreesWithFiniteDifferences) {
  const Values x = to_double(uniform(200, -6, 6)), dy = to_double(uniform(200, -1, 1, 2));
  const auto loss = [&](const Values& at) { return dot(dy, oracle::gelu(at)); };
  EXPECT_LE(max_relative_error(oracle::gelu_backward(x, dy), finite_differences(loss, x)), 1e-8);
}

TEST_P(GeluTest, AgreesWithTheDoubleOracle) {
  for_float_and_bf16([&](auto type) {
    using T = decltype(type);
    for (const int64_t n : {1, 7, 31, 33, 127, 1000, 50257}) {
      // Near zero, where it matters and far out: errors are relative to the largest value of each range.
      for (const double range : {1e-4, 1.0, 6.0, 100.0}) {
        const auto x = representable<T>(uniform(n, -range, range)),
                   dy = representable<T>(uniform(n, -1, 1, 2));
        const Values at = to_double(x);
        EXPECT_LE(max_relative_error(forward<T>(x), oracle::gelu(at)), 1e-6 + kRounding<T>)
            << n << " " << range;
        EXPECT_LE(max_relative_error(backward<T>(x, dy), oracle::gelu_backward(at, to_double(dy))),
                  2e-6 + kRounding<T>)
            << n << " " << range;
      }
    }
  });
}

TEST_P(GeluTest, KeepsItsSmallValuesOnTheNegativeSide) {
  const std::vector<float> x = uniform(1000, -4, -2);
  const std::vector<float> y = forward(x);
  const Values expected = oracle::gelu(to_double(x));
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(y[i], expected[i], 3e-7) << x[i];
}

TEST_P(GeluTest, IsTheIdentityOrZeroForHugeValues) {
  EXPECT_EQ(forward({1e4f, -1e4f, 1e10f, -1e10f, 0.0f}), (std::vector<float>{1e4f, 0, 1e10f, 0, 0}));
  EXPECT_EQ(backward({1e4f, -1e4f}, {3, 3}), (std::vector<float>{3, 0}));
}

TEST_P(GeluTest, NanStaysNan) {
  for_float_and_bf16([&](auto type) {
    using T = decltype(type);
    EXPECT_TRUE(std::isnan(forward<T>({NAN})[0]));
    EXPECT_TRUE(std::isnan(backward<T>({NAN}, {1})[0]));
    EXPECT_TRUE(std::isnan(backward<T>({1}, {NAN})[0]));
  });
}

TEST_P(GeluTest, WorksInPlace) {
  for_float_and_bf16([&](auto type) {
    using T = decltype(type);
    const std::vector<float> x = uniform(1003, -6, 6), dy = uniform(1003, -1, 1, 2);
    DeviceArray<T> in(device(), as<T>(x)), gradient(device(), as<T>(dy));
    DISPATCH(device(), gelu_backward, gradient.data(), in.data(), gradient.data(), 1003);
    EXPECT_EQ(as<float>(gradient.to_host()), backward<T>(x, dy));
    DISPATCH(device(), gelu_forward, in.data(), in.data(), 1003);
    EXPECT_EQ(as<float>(in.to_host()), forward<T>(x));
  });
}

TEST_P(GeluTest, GivesTheSameBitsEveryTime) {
  const std::vector<float> x = uniform(100'003, -6, 6), dy = uniform(100'003, -1, 1, 2);
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return forward(x); }));
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return backward(x, dy); }));
}

INSTANTIATE_ON_EVERY_DEVICE(GeluTest);

}  // namespace
}  // namespace gpt2::testing
