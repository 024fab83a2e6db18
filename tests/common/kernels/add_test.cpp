#include "common/kernels/add.h"

#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

class AddTest : public OnEveryDevice {};

std::vector<float> sum_of(const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<float> y;
  for (size_t i = 0; i < a.size(); ++i) y.push_back(a[i] + b[i % b.size()]);
  return y;
}

TEST_P(AddTest, RepeatsTheSecondOperandOverLeadingDimensions) {
  for (const int64_t period : {1, 7, 31, 768, 1000}) {
    for (const int64_t repeats : {1, 2, 33}) {
      const std::vector<float> a = uniform(period * repeats, -9, 9), b = uniform(period, -9, 9, 2);
      DeviceArray<float> x(device(), a), z(device(), b), y(device(), period * repeats);
      DISPATCH(device(), add, y.data(), x.data(), z.data(), period * repeats, period);
      EXPECT_EQ(y.to_host(), sum_of(a, b)) << period << " x " << repeats;
    }
  }
}

TEST_P(AddTest, WorksInPlaceOfEitherOperand) {
  const std::vector<float> a = uniform(50257, -9, 9), b = uniform(50257, -9, 9, 2);
  const auto n = static_cast<int64_t>(a.size());
  DeviceArray<float> x(device(), a), z(device(), b);
  DISPATCH(device(), add, x.data(), x.data(), z.data(), n, n);
  EXPECT_EQ(x.to_host(), sum_of(a, b));
  DeviceArray<float> x2(device(), a);
  DISPATCH(device(), add, z.data(), x2.data(), z.data(), n, n);
  EXPECT_EQ(z.to_host(), sum_of(a, b));
}

TEST_P(AddTest, WorksInPlaceWithARepeatedOperand) {
  const std::vector<float> a = uniform(50 * 767, -9, 9), b = uniform(767, -9, 9, 2);
  DeviceArray<float> x(device(), a), z(device(), b);
  DISPATCH(device(), add, x.data(), x.data(), z.data(), 50 * 767, 767);
  EXPECT_EQ(x.to_host(), sum_of(a, b));
}

INSTANTIATE_ON_EVERY_DEVICE(AddTest);

}  // namespace
}  // namespace gpt2::testing
