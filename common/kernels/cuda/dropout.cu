#include "common/kernels/dropout.h"

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

// One Philox call serves four values, which is about fifteen integer operations per value.
template <class T>
__global__ void dropout_kernel(T* y, const T* x, DropoutMask mask, int64_t n) {
  constexpr int N = kPiece<T>;
  const int64_t i = first_of_thread<N>();
  Piece<N> piece = load_piece(x, i, n);
  const int64_t draw = mask.draw();
  for (int k = 0; k < N; k += 4) {
    const PhiloxWords words = mask.words(i + k, draw);
    piece[k] = mask.apply(piece[k], words.a);
    piece[k + 1] = mask.apply(piece[k + 1], words.b);
    piece[k + 2] = mask.apply(piece[k + 2], words.c);
    piece[k + 3] = mask.apply(piece[k + 3], words.d);
  }
  store_piece(y, i, n, piece);
}

}  // namespace

template <class T>
void dropout(Stream stream, T* y, const T* x, const DropoutMask& mask, int64_t n) {
  launch(dropout_kernel<T>, {blocks_for<kPiece<T>>(n)}, {kBlock}, 0, stream, y, x, mask, n);
}

template void dropout(Stream, float*, const float*, const DropoutMask&, int64_t);
template void dropout(Stream, bf16*, const bf16*, const DropoutMask&, int64_t);

}  // namespace gpt2::cuda
