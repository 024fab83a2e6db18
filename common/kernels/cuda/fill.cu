#include "common/kernels/fill.h"

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

__global__ void fill_kernel(float* y, float value, int64_t n) {
  store_piece(y, first_of_thread<kFloats>(), n, Piece<kFloats>{value, value, value, value});
}

__global__ void arange_kernel(int32_t* y, int64_t n) {
  const int64_t i = blockIdx.x * int64_t{blockDim.x} + threadIdx.x;
  if (i < n) y[i] = int32_t(i);
}

}  // namespace

void fill(Stream stream, float* y, float value, int64_t n) {
  if (n == 0) return;
  launch(fill_kernel, {blocks_for<kFloats>(n)}, {kBlock}, 0, stream, y, value, n);
}

void arange(Stream stream, int32_t* y, int64_t n) {
  if (n == 0) return;
  launch(arange_kernel, {ceil_div(n, kBlock)}, {kBlock}, 0, stream, y, n);
}

}  // namespace gpt2::cuda
