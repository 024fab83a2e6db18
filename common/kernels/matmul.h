// Batched matrix product: C = alpha A B + beta C + bias, on `stream`'s device; sums are float32.
//
// Every matrix product of the model is one call. A linear layer is x W^T + b; its gradients are dy W and dy^T
// x. Attention multiplies heads, strided views of the packed (B, T, 3C) buffer, with one small product per
// (batch, head). A transposed operand is a view with swapped strides: nothing is copied to change an order.
//
// since 01_module; precision since 05_tf32, bf16 since 06_bf16, epilogues since 07_fusion
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>

#include "common/tensor/device.h"
#include "common/tensor/dtype.h"

namespace gpt2 {

// A view of a batch of matrices in memory that the caller owns. Void is void, or const void for read-only
// matrices. Element (i, j) of matrix (b0, b1) is
//   data[b0 * batch_stride[0] + b1 * batch_stride[1] + i * row_stride + j * col_stride],
// counted in elements of dtype. One of row_stride and col_stride is 1; the other is at least the number of
// elements in the row or column that it steps over.
template <class Void>
struct BasicMatrixView {
  Void* data = nullptr;
  DType dtype = DType::f32;
  int64_t rows = 0, cols = 0;
  int64_t row_stride = 0, col_stride = 0;
  std::array<int64_t, 2> batch_stride{0, 0};  // 0: the same matrix for the whole batch

  BasicMatrixView transposed() const {
    return {data, dtype, cols, rows, col_stride, row_stride, batch_stride};
  }

  operator BasicMatrixView<const void>() const requires(!std::is_const_v<Void>) {
    return {data, dtype, rows, cols, row_stride, col_stride, batch_stride};
  }

  // Matrix (b0, b1) alone.
  BasicMatrixView of_batch(int64_t b0, int64_t b1) const {
    using Byte = std::conditional_t<std::is_const_v<Void>, const char, char>;
    const int64_t elements = b0 * batch_stride[0] + b1 * batch_stride[1];
    return {static_cast<Byte*>(data) + elements * int64_t(size_of(dtype)),
            dtype,
            rows,
            cols,
            row_stride,
            col_stride};
  }
};
using MatrixView = BasicMatrixView<void>;
using ConstMatrixView = BasicMatrixView<const void>;

// A contiguous row-major matrix: a ConstMatrixView if T is const, otherwise a MatrixView.
template <class T>
auto row_major(T* data, int64_t rows, int64_t cols) {
  using Void = std::conditional_t<std::is_const_v<T>, const void, void>;
  return BasicMatrixView<Void>{data, dtype_of<T>, rows, cols, cols, 1};
}

// What happens to each value of C before it is written:
//   gelu       aux = c,  c = gelu(c)         aux keeps the input of the GELU for the backward pass
//   gelu_grad  c = c * gelu'(aux)            the backward pass of the GELU
//   row_sums   aux[i] = sum over k of A[i, k]  if A is dy^T, the gradient of a bias; C does not change
enum class Epilogue : uint8_t { none, gelu, gelu_grad, row_sums };

// What to compute: C = alpha A B + beta C + bias for each of batch[0] * batch[1] matrices.
// A is (M, K), B is (K, N), C is (M, N). The matrices of C are row-major (col_stride 1) and overlap neither
// each other nor A or B. The caller has checked all that. With beta == 0, C is written and never read. Either
// A, B and C are float, or A and B are bf16 and C is bf16 or float. An epilogue requires a batch of one
// and a contiguous C, and the GELU's require beta 0.
struct Matmul {
  ConstMatrixView a, b;
  MatrixView c;
  std::array<int64_t, 2> batch{1, 1};
  float alpha = 1, beta = 0;
  const float* alpha_on_device =
      nullptr;                 // if set, one float on the stream's device in place of alpha: since 07_fusion
  const void* bias = nullptr;  // (N) of C's type, added to every row of every C; null: no bias
  MatmulPrecision precision = MatmulPrecision::highest;  // of float operands
  Epilogue epilogue = Epilogue::none;
  void* aux = nullptr;  // (M, N) of C's type, contiguous; for row_sums (M); does not overlap C
};

// The order of additions depends only on the shapes and the number of threads: the same call gives the same
// bits.
namespace cpu {
void matmul(Stream stream, const Matmul& product);

// The instructions that products use: "AVX-512 with bf16". With others, sums are rounded differently.
// since 13_fineweb
std::string matmul_instructions();
}  // namespace cpu
namespace cuda {
void matmul(Stream stream, const Matmul& product);
}

}  // namespace gpt2
