#include "common/kernels/add.h"

#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

class AddTest : public OnEveryDevice {};

// body(T(), B()) for the types that can be added.
template <class Body>
void for_types(const Body& body) {
  for_float_and_bf16([&](auto type) { body(type, type); });
  SCOPED_TRACE("float and bf16");
  body(float(0), bf16(0));
}

template <class T, class B>
std::vector<float> sum_of(const std::vector<T>& a, const std::vector<B>& b) {
  std::vector<float> y;
  for (size_t i = 0; i < a.size(); ++i) y.push_back(T(a[i] + b[i % b.size()]));
  return y;
}

TEST_P(AddTest, RepeatsTheSecondOperandOverLeadingDimensions) {
  for_types([&](auto t, auto u) {
    using T = decltype(t);
    using B = decltype(u);
    for (const int64_t period : {1, 7, 31, 768, 1000}) {
      for (const int64_t repeats : {1, 2, 33}) {
        const auto a = as<T>(uniform(period * repeats, -9, 9));
        const auto b = as<B>(uniform(period, -9, 9, 2));
        DeviceArray<T> x(device(), a), y(device(), period * repeats);
        DeviceArray<B> z(device(), b);
        DISPATCH(device(), add, y.data(), x.data(), z.data(), period * repeats, period);
        EXPECT_EQ(as<float>(y.to_host()), sum_of(a, b)) << period << " x " << repeats;
      }
    }
  });
}

TEST_P(AddTest, WorksInPlaceOfEitherOperand) {
  for_float_and_bf16([&](auto type) {
    using T = decltype(type);
    const auto a = as<T>(uniform(50257, -9, 9)), b = as<T>(uniform(50257, -9, 9, 2));
    const auto n = static_cast<int64_t>(a.size());
    DeviceArray<T> x(device(), a), z(device(), b);
    DISPATCH(device(), add, x.data(), x.data(), z.data(), n, n);
    EXPECT_EQ(as<float>(x.to_host()), sum_of(a, b));
    DeviceArray<T> x2(device(), a);
    DISPATCH(device(), add, z.data(), x2.data(), z.data(), n, n);
    EXPECT_EQ(as<float>(z.to_host()), sum_of(a, b));
  });
}

TEST_P(AddTest, WorksInPlaceWithARepeatedOperand) {
  for_types([&](auto t, auto u) {
    using T = decltype(t);
    using B = decltype(u);
    const auto a = as<T>(uniform(50 * 767, -9, 9));
    const auto b = as<B>(uniform(767, -9, 9, 2));
    DeviceArray<T> x(device(), a);
    DeviceArray<B> z(device(), b);
    DISPATCH(device(), add, x.data(), x.data(), z.data(), 50 * 767, 767);
    EXPECT_EQ(as<float>(x.to_host()), sum_of(a, b));
  });
}

INSTANTIATE_ON_EVERY_DEVICE(AddTest);

}  // namespace
}  // namespace gpt2::testing
