#include "common/kernels/gelu.h"

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

constexpr float kSqrt2OverPi = 0.79788456080286536f;
constexpr float kCubic = 0.044715f;

__device__ float gelu(float x) {
  const float t = tanhf(kSqrt2OverPi * (x + kCubic * x * x * x));
  return 0.5f * x * (1 + t);
}

// With u the argument of tanh: gelu' = (1 + tanh u) / 2 + x/2 (1 - tanh^2 u) u'.
__device__ float gelu_slope(float x) {
  const float t = tanhf(kSqrt2OverPi * (x + kCubic * x * x * x));
  const float du = kSqrt2OverPi * (1 + 3 * kCubic * x * x);
  return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * du;
}

template <class T>
__global__ void gelu_forward_kernel(T* y, const T* x, int64_t n) {
  constexpr int N = kPiece<T>;
  const int64_t i = first_of_thread<N>();
  Piece<N> piece = load_piece(x, i, n);
  for (float& value : piece.values) value = gelu(value);
  store_piece(y, i, n, piece);
}

template <class T>
__global__ void gelu_backward_kernel(T* dx, const T* x, const T* dy, int64_t n) {
  constexpr int N = kPiece<T>;
  const int64_t i = first_of_thread<N>();
  const Values<T, N> at = load_piece(x, i, n), out = load_piece(dy, i, n);
  Piece<N> gradient;
  for (int k = 0; k < N; ++k) gradient[k] = out[k] * gelu_slope(at[k]);
  store_piece(dx, i, n, gradient);
}

}  // namespace

template <class T>
void gelu_forward(Stream stream, T* y, const T* x, int64_t n) {
  launch(gelu_forward_kernel<T>, {blocks_for<kPiece<T>>(n)}, {kBlock}, 0, stream, y, x, n);
}

template <class T>
void gelu_backward(Stream stream, T* dx, const T* x, const T* dy, int64_t n) {
  launch(gelu_backward_kernel<T>, {blocks_for<kPiece<T>>(n)}, {kBlock}, 0, stream, dx, x, dy, n);
}

template void gelu_forward(Stream, float*, const float*, int64_t);
template void gelu_forward(Stream, bf16*, const bf16*, int64_t);
template void gelu_backward(Stream, float*, const float*, const float*, int64_t);
template void gelu_backward(Stream, bf16*, const bf16*, const bf16*, int64_t);

}  // namespace gpt2::cuda
