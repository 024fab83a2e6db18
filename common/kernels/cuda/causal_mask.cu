#include "common/kernels/causal_mask.h"

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

// Blocks in x are rows; blocks in y cover the pieces of a row. Pieces right of the diagonal (half of the
// matrix) are written but never read.
template <class T>
__global__ void causal_mask_kernel(T* y, const T* x, float masked, int64_t positions) {
  constexpr int N = kPiece<T>;
  const int64_t row = blockIdx.x, i = row % positions;
  const int64_t first = (blockIdx.y * int64_t{blockDim.x} + threadIdx.x) * N;
  const int64_t seen = first <= i ? positions : 0;
  Piece<N> piece = load_piece(x + row * positions, first, seen, masked);
  for (int k = 0; k < N; ++k) piece[k] = first + k <= i ? piece[k] : masked;
  store_piece(y + row * positions, first, positions, piece);
}

}  // namespace

template <class T>
void causal_mask(Stream stream, T* y, const T* x, float masked, int64_t matrices, int64_t positions) {
  constexpr int N = kPiece<T>;
  const int64_t threads = threads_for_row<N>(positions, kBlock);
  launch(causal_mask_kernel<T>, {matrices * positions, ceil_div(positions, threads * N)}, {threads}, 0,
         stream, y, x, masked, positions);
}

template void causal_mask(Stream, float*, const float*, float, int64_t, int64_t);
template void causal_mask(Stream, bf16*, const bf16*, float, int64_t, int64_t);

}  // namespace gpt2::cuda
