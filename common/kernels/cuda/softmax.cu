#include "common/kernels/softmax.h"

#include "common/kernels/cuda/online_sum.cuh"

namespace gpt2::cuda {
namespace {

constexpr int kMaxThreads = 1024;

// One block per row. It reads the row twice; a row of attention scores is 4 KB, so the second pass reads it
// from the multiprocessor's cache, not from memory.
__global__ void softmax_forward_kernel(float* y, const float* x, int64_t cols) {
  y += blockIdx.x * cols;
  x += blockIdx.x * cols;
  const int64_t begin = threadIdx.x * kFloats, stride = int64_t{blockDim.x} * kFloats;
  OnlineSum online;
  for (int64_t first = begin; first < cols; first += stride)
    online.add(Piece<kFloats>(load_piece(x, first, cols, -INFINITY)));
  const OnlineSum row = online.of_block();
  const float scale = 1 / row.sum;
  for (int64_t first = begin; first < cols; first += stride) {
    Piece<kFloats> piece = load_piece(x, first, cols);
    for (float& value : piece.values) value = expf(value - row.largest) * scale;
    store_piece(y, first, cols, piece);
  }
}

__global__ void softmax_backward_kernel(float* dx, const float* y, const float* dy, int64_t cols) {
  dx += blockIdx.x * cols;
  y += blockIdx.x * cols;
  dy += blockIdx.x * cols;
  const int64_t begin = threadIdx.x * kFloats, stride = int64_t{blockDim.x} * kFloats;
  float dot = 0;
  for (int64_t first = begin; first < cols; first += stride) {
    const Piece<kFloats> out = load_piece(y, first, cols), gradient = load_piece(dy, first, cols);
    for (int k = 0; k < kFloats; ++k) dot += out[k] * gradient[k];
  }
  dot = block_sum(dot);
  for (int64_t first = begin; first < cols; first += stride) {
    const Piece<kFloats> out = load_piece(y, first, cols);
    Piece<kFloats> gradient = load_piece(dy, first, cols);
    for (int k = 0; k < kFloats; ++k) gradient[k] = out[k] * (gradient[k] - dot);
    store_piece(dx, first, cols, gradient);
  }
}

}  // namespace

void softmax_forward(Stream stream, float* y, const float* x, int64_t rows, int64_t cols) {
  launch(softmax_forward_kernel, {rows}, {threads_for_row<kFloats>(cols, kMaxThreads)}, 0, stream, y, x,
         cols);
}

void softmax_backward(Stream stream, float* dx, const float* y, const float* dy, int64_t rows, int64_t cols) {
  launch(softmax_backward_kernel, {rows}, {threads_for_row<kFloats>(cols, kMaxThreads)}, 0, stream, dx, y, dy,
         cols);
}

}  // namespace gpt2::cuda
