#include "common/kernels/copy.h"

#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

class CopyTest : public OnEveryDevice {};

// The same by nested loops, into an array of -1.
std::vector<float> copied(size_t y_size, const std::vector<float>& x, const Dims4& shape,
                          const Dims4& y_strides, const Dims4& x_strides) {
  std::vector<float> y(y_size, -1);
  for (int64_t a = 0; a < shape[0]; ++a) {
    for (int64_t b = 0; b < shape[1]; ++b) {
      for (int64_t c = 0; c < shape[2]; ++c) {
        for (int64_t d = 0; d < shape[3]; ++d) {
          const int64_t to = a * y_strides[0] + b * y_strides[1] + c * y_strides[2] + d * y_strides[3];
          const int64_t from = a * x_strides[0] + b * x_strides[1] + c * x_strides[2] + d * x_strides[3];
          y.at(size_t(to)) = x.at(size_t(from));
        }
      }
    }
  }
  return y;
}

// Checks a copy between arrays of y_size and x_size values; what the strides step over must stay as it was.
void expect_copies(Device device, int64_t y_size, int64_t x_size, const Dims4& shape, const Dims4& y_strides,
                   const Dims4& x_strides) {
  const std::vector<float> x = uniform(x_size, 0, 1);
  DeviceArray<float> from(device, x), to(device, std::vector<float>(size_t(y_size), -1));
  DISPATCH(device, copy_strided, to.data(), from.data(), shape, y_strides, x_strides);
  EXPECT_EQ(to.to_host(), copied(size_t(y_size), x, shape, y_strides, x_strides));
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
