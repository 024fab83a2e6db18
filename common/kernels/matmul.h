// Matrix product, batched: C = alpha A B + beta C + bias, in float32, on `stream`'s device.
//
// Every use in the model is one call. A linear layer is x W^T + b; its gradients are dy W and dy^T x;
// attention multiplies heads that lie as strides in the packed (B, T, 3C) buffer, one small product per
// (batch, head). A transposed operand is a view with its strides swapped: nothing is ever copied to
// change an order.
//
// since 01_module
#pragma once

#include <cstdint>

#include "common/tensor/device.h"

namespace gpt2 {

// A batch of matrices in someone else's memory. Element (i, j) of matrix (b0, b1) is
//   data[b0 * batch_stride[0] + b1 * batch_stride[1] + i * row_stride + j * col_stride].
// One of row_stride and col_stride is 1; the other is at least as long as the line it steps over.
template <class T>
struct MatrixView {
  T* data;
  int64_t rows, cols;
  int64_t row_stride, col_stride;
  int64_t batch_stride[2] = {0, 0};  // 0: the same matrix for the whole batch

  MatrixView transposed() const {
    return {data, cols, rows, col_stride, row_stride, {batch_stride[0], batch_stride[1]}};
  }
};

// A contiguous row-major matrix.
template <class T>
MatrixView<T> row_major(T* data, int64_t rows, int64_t cols) {
  return {data, rows, cols, cols, 1};
}

// What to compute: C = alpha A B + beta C + bias for each of batch[0] * batch[1] matrices.
// A is (M, K), B is (K, N), C is (M, N); the matrices of C are row-major (col_stride 1) and do not
// overlap one another, A or B. The caller has checked all that. With beta == 0 C is written, never read.
struct Matmul {
  MatrixView<const float> a, b;
  MatrixView<float> c;
  int64_t batch[2] = {1, 1};
  float alpha = 1, beta = 0;
  const float* bias = nullptr;  // (N), added to every row of every C; none if null
};

// The sums are added in an order that depends on shapes and thread count alone: the same call gives
// the same bits.
namespace cpu {
void matmul(Stream stream, const Matmul& product);
}
namespace cuda {
void matmul(Stream stream, const Matmul& product);
}

}  // namespace gpt2
