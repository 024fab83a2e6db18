#include "common/kernels/causal_mask.h"

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

// One row a block in x, in as many blocks in y as the row needs. Pieces right of the diagonal are written but
// never read: half of the matrix.
__global__ void causal_mask_kernel(float* y, const float* x, float masked, int64_t T) {
  const int64_t row = blockIdx.x, i = row % T;
  const int64_t first = (blockIdx.y * int64_t{blockDim.x} + threadIdx.x) * kFloats;
  const int64_t seen = first <= i ? T : 0;
  Packed<float> piece = load_piece(x + row * T, first, seen, masked);
  for (int k = 0; k < kFloats; ++k) piece[k] = first + k <= i ? piece[k] : masked;
  store_piece(y + row * T, first, T, piece);
}

}  // namespace

void causal_mask(Stream stream, float* y, const float* x, float masked, int64_t matrices, int64_t T) {
  const int64_t threads = threads_for_row(T, kBlock);
  launch(causal_mask_kernel, {matrices * T, ceil_div(T, threads * kFloats)}, {threads}, 0, stream, y, x,
         masked, T);
}

}  // namespace gpt2::cuda
