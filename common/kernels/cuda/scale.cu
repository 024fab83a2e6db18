#include "common/kernels/scale.h"

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

template <class T>
__global__ void scale_kernel(T* y, const T* x, float alpha, int64_t n) {
  constexpr int N = kPiece<T>;
  const int64_t i = first_of_thread<N>();
  Piece<N> piece = load_piece(x, i, n);
  for (float& value : piece.values) value *= alpha;
  store_piece(y, i, n, piece);
}

}  // namespace

template <class T>
void scale(Stream stream, T* y, const T* x, float alpha, int64_t n) {
  launch(scale_kernel<T>, {blocks_for<kPiece<T>>(n)}, {kBlock}, 0, stream, y, x, alpha, n);
}

template void scale(Stream, float*, const float*, float, int64_t);
template void scale(Stream, bf16*, const bf16*, float, int64_t);

}  // namespace gpt2::cuda
