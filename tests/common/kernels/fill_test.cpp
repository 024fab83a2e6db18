#include "common/kernels/fill.h"

#include <numeric>

#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

class FillTest : public OnEveryDevice {};

TEST_P(FillTest, WritesTheValueEverywhereAndNowhereElse) {
  for (const int64_t n : {1, 7, 31, 127, 1000, 50257}) {
    std::vector<float> expected(size_t(n + 1), -2.5f);
    expected.back() = 7;
    DeviceArray<float> y(device(), std::vector<float>(size_t(n + 1), 7));
    DISPATCH(device(), fill, y.data(), -2.5f, n);
    EXPECT_EQ(y.to_host(), expected) << n;
  }
}

TEST_P(FillTest, OfNothingWritesNothing) {
  DeviceArray<float> y(device(), std::vector<float>{7});
  DISPATCH(device(), fill, y.data(), 1.0f, 0);
  EXPECT_EQ(y.to_host(), std::vector<float>{7});
}

TEST_P(FillTest, ArangeCountsFromZero) {
  for (const int64_t n : {1, 7, 1000, 50257}) {
    std::vector<int32_t> expected(static_cast<size_t>(n));
    std::iota(expected.begin(), expected.end(), 0);
    DeviceArray<int32_t> y(device(), n);
    DISPATCH(device(), arange, y.data(), n);
    EXPECT_EQ(y.to_host(), expected) << n;
  }
}

INSTANTIATE_ON_EVERY_DEVICE(FillTest);

}  // namespace
}  // namespace gpt2::testing
