#include "common/kernels/scale.h"

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

__device__ inline float value_of(float alpha) { return alpha; }
__device__ inline float value_of(const float* alpha) { return *alpha; }

template <class T, class Alpha>  // float or const float*
__global__ void scale_kernel(T* y, const T* x, Alpha alpha, int64_t n) {
  constexpr int N = kPiece<T>;
  const int64_t i = first_of_thread<N>();
  Piece<N> piece = load_piece(x, i, n);
  const float factor = value_of(alpha);
  for (float& value : piece.values) value *= factor;
  store_piece(y, i, n, piece);
}

}  // namespace

template <class T>
void scale(Stream stream, T* y, const T* x, float alpha, int64_t n) {
  launch(scale_kernel<T, float>, {blocks_for<kPiece<T>>(n)}, {kBlock}, 0, stream, y, x, alpha, n);
}

template <class T>
void scale_by(Stream stream, T* y, const T* x, const float* alpha, int64_t n) {
  launch(scale_kernel<T, const float*>, {blocks_for<kPiece<T>>(n)}, {kBlock}, 0, stream, y, x, alpha, n);
}

template void scale(Stream, float*, const float*, float, int64_t);
template void scale(Stream, bf16*, const bf16*, float, int64_t);
template void scale_by(Stream, float*, const float*, const float*, int64_t);
template void scale_by(Stream, bf16*, const bf16*, const float*, int64_t);

}  // namespace gpt2::cuda
