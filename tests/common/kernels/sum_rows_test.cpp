#include "common/kernels/sum_rows.h"

#include "tests/common/oracle.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

class SumRowsTest : public OnEveryDevice {
 protected:
  template <class X = float, class Y = float>
  std::vector<float> sum(const std::vector<float>& x, const std::vector<float>& old, float beta) {
    const auto cols = static_cast<int64_t>(old.size()), rows = static_cast<int64_t>(x.size()) / cols;
    DeviceArray<X> in(device(), as<X>(x));
    DeviceArray<Y> y(device(), as<Y>(old));
    DeviceArray<float> workspace(device(), DISPATCH_SIZE(device(), sum_rows_workspace, rows, cols));
    DISPATCH(device(), sum_rows, y.data(), in.data(), workspace.data(), rows, cols, beta);
    return as<float>(y.to_host());
  }
};

struct Shape {
  int64_t rows, cols;
};
constexpr Shape kShapes[] = {{1, 1},   {1, 33},   {31, 1},   {64, 7},    {65, 31},
                             {127, 1}, {200, 33}, {33, 768}, {129, 127}, {4, 5000}};

TEST_P(SumRowsTest, AgreesWithTheDoubleOracleAndOverwritesNan) {
  for_float_and_bf16([&](auto type) {
    using X = decltype(type);
    for (const auto& shape : kShapes) {
      const auto x = representable<X>(uniform(shape.rows * shape.cols, -1, 2));
      const auto actual = sum<X>(x, std::vector<float>(size_t(shape.cols), NAN), 0);
      EXPECT_LE(max_relative_error(actual, oracle::sum_rows(to_double(x), shape.cols)), 1e-6)
          << shape.rows << " x " << shape.cols;
    }
  });
}

TEST_P(SumRowsTest, AddsToTheOldValuesTimesBeta) {
  for_float_and_bf16([&](auto type) {
    using X = decltype(type);
    for (const auto& shape : kShapes) {
      for (const float beta : {1.0f, -0.5f}) {
        const auto x = representable<X>(uniform(shape.rows * shape.cols, -1, 2));
        const auto old = uniform(shape.cols, -50, 50, 2);
        Values expected = oracle::sum_rows(to_double(x), shape.cols);
        for (size_t j = 0; j < expected.size(); ++j) expected[j] += double(beta) * old[j];
        EXPECT_LE(max_relative_error(sum<X>(x, old, beta), expected), 1e-6)
            << shape.rows << " x " << shape.cols;
      }
    }
  });
}

// As good as a float sum that is rounded at the end, and no further.
TEST_P(SumRowsTest, ABf16SumIsRoundedOnce) {
  for_float_and_bf16([&](auto type) {
    using X = decltype(type);
    for (const auto& shape : kShapes) {
      for (const float beta : {0.0f, 1.0f}) {
        const auto x = representable<X>(uniform(shape.rows * shape.cols, -1, 2));
        const auto old = representable<bf16>(uniform(shape.cols, -50, 50, 2));
        const std::vector<float> wide = sum<X>(x, old, beta), narrow = sum<X, bf16>(x, old, beta);
        EXPECT_EQ(narrow, representable<bf16>(wide)) << shape.rows << " x " << shape.cols;
      }
    }
  });
}

TEST_P(SumRowsTest, OfNoRowsIsZero) {
  EXPECT_EQ(sum({}, {NAN, NAN, NAN}, 0), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(sum({}, {1, 2, 3}, 1), (std::vector<float>{1, 2, 3}));
}

TEST_P(SumRowsTest, GivesTheSameBitsEveryTime) {
  const std::vector<float> x = uniform(300 * 257, -1, 1), old(257, 0.1f);
  EXPECT_TRUE(gives_the_same_bits(device(), [&] { return sum(x, old, 1); }));
}

INSTANTIATE_ON_EVERY_DEVICE(SumRowsTest);

}  // namespace
}  // namespace gpt2::testing
