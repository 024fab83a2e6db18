#include "common/kernels/causal_mask.h"

#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

class CausalMaskTest : public OnEveryDevice {};

std::vector<float> masked_above_diagonal(std::vector<float> x, float masked, int64_t T) {
  for (size_t m = 0; m < x.size(); m += size_t(T * T)) {
    for (int64_t j = 0; j < T; ++j) {
      for (int64_t i = 0; i < j; ++i) x[m + size_t(i * T + j)] = masked;
    }
  }
  return x;
}

TEST_P(CausalMaskTest, HidesLaterPositionsInPlaceOrNot) {
  for_float_and_bf16([&](auto type) {
    using E = decltype(type);
    for (const float masked : {-INFINITY, 0.0f}) {
      for (const int64_t T : {1, 2, 7, 31, 33, 127}) {
        const int64_t matrices = 3, n = matrices * T * T;
        const std::vector<float> x = representable<E>(uniform(n, -9, 9));
        DeviceArray<E> in(device(), as<E>(x)), out(device(), n);
        DISPATCH(device(), causal_mask, out.data(), in.data(), masked, matrices, T);
        EXPECT_EQ(as<float>(out.to_host()), masked_above_diagonal(x, masked, T)) << T;
        DISPATCH(device(), causal_mask, in.data(), in.data(), masked, matrices, T);
        EXPECT_EQ(as<float>(in.to_host()), masked_above_diagonal(x, masked, T)) << T;
      }
    }
  });
}

TEST_P(CausalMaskTest, NanBehindTheMaskIsGone) {
  for_float_and_bf16([&](auto type) {
    using E = decltype(type);
    DeviceArray<E> x(device(), std::vector<E>{1.0f, NAN, 2.0f, 3.0f});
    DISPATCH(device(), causal_mask, x.data(), x.data(), 0.0f, 1, 2);
    EXPECT_EQ(as<float>(x.to_host()), (std::vector<float>{1, 0, 2, 3}));
  });
}

INSTANTIATE_ON_EVERY_DEVICE(CausalMaskTest);

}  // namespace
}  // namespace gpt2::testing
