#include "common/kernels/copy.h"

#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

class CopyTest : public OnEveryDevice {};

// The same by nested loops, into an array of -1.
template <class Y, class X>
std::vector<Y> copied(size_t y_size, const std::vector<X>& x, const Dims4& shape, const Dims4& y_strides,
                      const Dims4& x_strides) {
  std::vector<Y> y(y_size, Y(-1.0f));
  for (int64_t a = 0; a < shape[0]; ++a) {
    for (int64_t b = 0; b < shape[1]; ++b) {
      for (int64_t c = 0; c < shape[2]; ++c) {
        for (int64_t d = 0; d < shape[3]; ++d) {
          const int64_t to = a * y_strides[0] + b * y_strides[1] + c * y_strides[2] + d * y_strides[3];
          const int64_t from = a * x_strides[0] + b * x_strides[1] + c * x_strides[2] + d * x_strides[3];
          y.at(size_t(to)) = Y(x.at(size_t(from)));
        }
      }
    }
  }
  return y;
}

// Checks a copy between arrays of y_size and x_size values, from each type to each; what the strides step over
// must stay as it was.
void expect_copies(Device device, int64_t y_size, int64_t x_size, const Dims4& shape, const Dims4& y_strides,
                   const Dims4& x_strides) {
  for_float_and_bf16([&](auto x_type) {
    for_float_and_bf16([&](auto y_type) {
      using X = decltype(x_type);
      using Y = decltype(y_type);
      const auto x = as<X>(uniform(x_size, 0, 1));
      DeviceArray<X> from(device, x);
      DeviceArray<Y> to(device, std::vector<Y>(size_t(y_size), Y(-1.0f)));
      DISPATCH(device, copy_strided, to.data(), from.data(), shape, y_strides, x_strides);
      const auto expected = copied<Y>(size_t(y_size), x, shape, y_strides, x_strides);
      EXPECT_EQ(as<float>(to.to_host()), as<float>(expected));
    });
  });
}

TEST_P(CopyTest, OfOneRowOrOneColumn) {
  for (const int64_t n : {1, 7, 33, 50257}) {
    expect_copies(device(), n, n, {1, 1, 1, n}, {n, n, n, 1}, {n, n, n, 1});
    expect_copies(device(), n, n, {n, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1});
  }
}

TEST_P(CopyTest, SwapsTheMiddleDimensions) {
  // (B, T, nh, hs) to (B, nh, T, hs)
  const int64_t B = 2, T = 33, nh = 5, hs = 31, n = B * T * nh * hs;
  expect_copies(device(), n, n, {B, nh, T, hs}, {nh * T * hs, T * hs, hs, 1}, {T * nh * hs, hs, nh * hs, 1});
}

TEST_P(CopyTest, TakesAndFillsAPartOfAPackedArray) {
  // k of (B, T, 3C) and back
  const int64_t B = 3, T = 17, C = 127;
  const Dims4 shape{1, B, T, C}, dense{B * T * C, T * C, C, 1}, packed{B * T * 3 * C, T * 3 * C, 3 * C, 1};
  expect_copies(device(), B * T * C, B * T * 3 * C, shape, dense, packed);
  expect_copies(device(), B * T * 3 * C, B * T * C, shape, packed, dense);
}

TEST_P(CopyTest, TransposesTheLastDimensions) {
  const int64_t B = 2, rows = 127, cols = 70, n = B * rows * cols;
  expect_copies(device(), n, n, {1, B, rows, cols}, {n, rows * cols, cols, 1}, {n, rows * cols, 1, rows});
  expect_copies(device(), n, n, {1, B, rows, cols}, {n, rows * cols, 1, rows}, {n, rows * cols, cols, 1});
}

TEST_P(CopyTest, MovesWholePiecesAndWhatIsLeftOfThem) {
  // Lines of 64 values, all of them aligned, then lines of 12, which only pieces of 4 divide.
  for (const int64_t hs : {64, 12}) {
    const int64_t B = 2, T = 9, nh = 3, n = B * T * nh * hs;
    expect_copies(device(), n, n, {B, nh, T, hs}, {nh * T * hs, T * hs, hs, 1},
                  {T * nh * hs, hs, nh * hs, 1});
  }
  expect_copies(device(), 96, 96, {2, 3, 4, 4}, {48, 16, 4, 1}, {48, 16, 4, 1});  // dense on both sides
}

// NaNs keep their bits where the type stays the same.
TEST_P(CopyTest, OfBf16IsACopyOfBits) {
  for (const int64_t n : {7, 64}) {
    std::vector<bf16> x;
    for (int64_t i = 0; i < n; ++i) x.push_back(std::bit_cast<bf16>(uint16_t(0xff81 + i)));
    DeviceArray<bf16> from(device(), x), to(device(), n);
    DISPATCH(device(), copy_strided, to.data(), from.data(), Dims4{1, 1, 1, n}, Dims4{n, n, n, 1},
             Dims4{n, n, n, 1});
    EXPECT_EQ(std::memcmp(to.to_host().data(), x.data(), size_t(n) * sizeof(bf16)), 0) << n;
  }
}

TEST_P(CopyTest, RepeatsWhereAStrideIsZero) {
  expect_copies(device(), 5 * 33, 33, {1, 1, 5, 33}, {165, 165, 33, 1}, {33, 33, 0, 1});
  expect_copies(device(), 5 * 33, 5, {1, 1, 5, 33}, {165, 165, 33, 1}, {5, 5, 1, 0});
}

TEST_P(CopyTest, OfNothingWritesNothing) {
  for (size_t empty = 0; empty < 4; ++empty) {
    Dims4 shape{2, 3, 4, 5};
    shape[empty] = 0;
    expect_copies(device(), 120, 120, shape, {60, 20, 5, 1}, {60, 20, 5, 1});
  }
}

INSTANTIATE_ON_EVERY_DEVICE(CopyTest);

}  // namespace
}  // namespace gpt2::testing
