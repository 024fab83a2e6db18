#include "common/kernels/scale.h"

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

__global__ void scale_kernel(float* y, const float* x, float alpha, int64_t n) {
  const int64_t i = first_of_thread();
  Packed<float> piece = load_piece(x, i, n);
  for (float& value : piece.values) value *= alpha;
  store_piece(y, i, n, piece);
}

}  // namespace

void scale(Stream stream, float* y, const float* x, float alpha, int64_t n) {
  launch(scale_kernel, {blocks_for(n)}, {kBlock}, 0, stream, y, x, alpha, n);
}

}  // namespace gpt2::cuda
