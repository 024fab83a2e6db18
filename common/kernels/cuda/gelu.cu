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

__global__ void gelu_forward_kernel(float* y, const float* x, int64_t n) {
  const int64_t i = first_of_thread();
  Packed<float> piece = load_piece(x, i, n);
  for (float& value : piece.values) value = gelu(value);
  store_piece(y, i, n, piece);
}

__global__ void gelu_backward_kernel(float* dx, const float* x, const float* dy, int64_t n) {
  const int64_t i = first_of_thread();
  const Packed<float> at = load_piece(x, i, n);
  Packed<float> gradient = load_piece(dy, i, n);
  for (int k = 0; k < kFloats; ++k) gradient[k] *= gelu_slope(at[k]);
  store_piece(dx, i, n, gradient);
}

}  // namespace

void gelu_forward(Stream stream, float* y, const float* x, int64_t n) {
  launch(gelu_forward_kernel, {blocks_for(n)}, {kBlock}, 0, stream, y, x, n);
}

void gelu_backward(Stream stream, float* dx, const float* x, const float* dy, int64_t n) {
  launch(gelu_backward_kernel, {blocks_for(n)}, {kBlock}, 0, stream, dx, x, dy, n);
}

}  // namespace gpt2::cuda
