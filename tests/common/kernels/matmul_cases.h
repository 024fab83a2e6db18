// What the tests of matrix products share: shapes, layouts, operands with NaN around them, the double oracle.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "common/kernels/matmul.h"
#include "tests/common/testing.h"

namespace gpt2::testing {

// C is (M, N), and its values are sums of K products.
struct Sizes {
  int64_t M, N, K;
};
// Lines of one, sizes around a tile, a vocabulary that no vector length divides, more depth than one block.
inline constexpr Sizes kSizes[] = {{1, 1, 1},      {1, 7, 5},     {5, 1, 3},    {3, 5, 1},
                                   {1, 257, 64},   {17, 33, 65},  {64, 64, 64}, {65, 129, 300},
                                   {63, 257, 128}, {130, 31, 517}};

// Where the elements of a matrix lie: rows or columns side by side, and what is left free between them.
struct Layout {
  bool transposed;
  int64_t gap;
};
inline constexpr Layout kLayouts[] = {{false, 0}, {true, 0}, {false, 11}, {true, 3}};

// A (rows, cols) matrix in memory of its own, NaN in the gaps.
template <class T>
struct Operand {
  int64_t rows, cols, row_stride, col_stride;
  std::vector<T> memory;

  Operand(const std::vector<T>& values, int64_t n_rows, int64_t n_cols, Layout layout)
      : rows(n_rows),
        cols(n_cols),
        row_stride(layout.transposed ? 1 : cols + layout.gap),
        col_stride(layout.transposed ? rows + layout.gap : 1),
        memory(size_t(rows * row_stride + cols * col_stride), T(std::numeric_limits<float>::quiet_NaN())) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j)
        memory[size_t(i * row_stride + j * col_stride)] = values[size_t(i * cols + j)];
    }
  }
  ConstMatrixView view(const T* data) const {
    return {data, dtype_of<T>, rows, cols, row_stride, col_stride};
  }
};

template <class T>
std::vector<T> uniform_of(int64_t n, double low, double high, unsigned seed) {
  const std::vector<float> values = uniform(n, low, high, seed);
  return std::vector<T>(values.begin(), values.end());
}

template <class T>
std::vector<double> product_in_double(const std::vector<T>& a, const std::vector<T>& b, Sizes s) {
  std::vector<double> c(size_t(s.M * s.N));
  for (int64_t i = 0; i < s.M; ++i) {
    for (int64_t j = 0; j < s.N; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < s.K; ++k)
        sum += double(a[size_t(i * s.K + k)]) * double(b[size_t(k * s.N + j)]);
      c[size_t(i * s.N + j)] = sum;
    }
  }
  return c;
}

// Of a result whose sums are float32 sums of a few hundred products: one rounding more if it is bf16.
template <class T>
constexpr double kTolerance = dtype_of<T> == DType::bf16 ? 1.0 / 256 : 2e-6;

// The same for operands of type X and sums of K products. A GPU's tensor cores add 16 products at a time and cut
// off the bits beyond float32 instead of rounding them, so the errors of bf16 operands add up with K.
template <class X, class Y>
double tolerance(Device device, int64_t K) {
  const bool cuts_off = device.is_cuda() && dtype_of<X> == DType::bf16;
  return kTolerance<Y> + (cuts_off ? double(K) / 16 * 0x1p-23 : 0);
}

inline void matmul(Device device, const Matmul& product) { DISPATCH(device, matmul, product); }

}  // namespace gpt2::testing
