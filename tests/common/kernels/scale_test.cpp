#include "common/kernels/scale.h"

#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

class ScaleTest : public OnEveryDevice {};

TEST_P(ScaleTest, MultipliesEveryValueInPlaceOrNot) {
  for_float_and_bf16([&](auto type) {
    using T = decltype(type);
    for (const int64_t n : {1, 7, 33, 1000, 50257}) {
      const std::vector<T> x = as<T>(uniform(n, -100, 100));
      std::vector<float> expected;
      for (const float value : x) expected.push_back(T(value * -0.3f));
      DeviceArray<T> in(device(), x), out(device(), n);
      DISPATCH(device(), scale, out.data(), in.data(), -0.3f, n);
      EXPECT_EQ(as<float>(out.to_host()), expected) << n;
      DeviceArray<float> alpha(device(), std::vector<float>{-0.3f});
      DeviceArray<T> again(device(), n);
      DISPATCH(device(), scale_by, again.data(), in.data(), alpha.data(), n);
      EXPECT_EQ(as<float>(again.to_host()), expected) << n;
      DISPATCH(device(), scale, in.data(), in.data(), -0.3f, n);
      EXPECT_EQ(as<float>(in.to_host()), expected) << n;
    }
  });
}

TEST_P(ScaleTest, KeepsNanAndInfinity) {
  DeviceArray<float> x(device(), std::vector<float>{NAN, INFINITY, 1});
  DISPATCH(device(), scale, x.data(), x.data(), -2.0f, 3);
  const std::vector<float> y = x.to_host();
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(y[1], -INFINITY);
  EXPECT_EQ(y[2], -2);
}

INSTANTIATE_ON_EVERY_DEVICE(ScaleTest);

}  // namespace
}  // namespace gpt2::testing
