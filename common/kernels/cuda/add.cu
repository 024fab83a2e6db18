#include "common/kernels/add.h"

#include <algorithm>

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

// Blocks in x cover the columns of b; blocks in y cover its repetitions over a. So no thread divides by the
// period, and each keeps its piece of b for all repetitions that it adds.
template <class T, class B>
__global__ void add_kernel(T* y, const T* a, const B* b, int64_t period, int64_t repetitions) {
  constexpr int N = kPiece<T, B>;
  const int64_t i = first_of_thread<N>();
  const Values<B, N> addend = load_piece<N>(b, i, period);
  for (int64_t r = blockIdx.y; r < repetitions; r += gridDim.y) {
    Piece<N> sum = load_piece<N>(a + r * period, i, period);
    for (int k = 0; k < N; ++k) sum[k] += addend[k];
    store_piece(y + r * period, i, period, sum);
  }
}

}  // namespace

template <class T, class B>
void add(Stream stream, T* y, const T* a, const B* b, int64_t n, int64_t period) {
  constexpr int N = kPiece<T, B>;
  const int64_t repetitions = n / period, threads = threads_for_row<N>(period, kBlock);
  launch(add_kernel<T, B>, {ceil_div(period, threads * N), std::min(repetitions, kMaxGridY)}, {threads}, 0,
         stream, y, a, b, period, repetitions);
}

template void add(Stream, float*, const float*, const float*, int64_t, int64_t);
template void add(Stream, float*, const float*, const bf16*, int64_t, int64_t);
template void add(Stream, bf16*, const bf16*, const bf16*, int64_t, int64_t);

}  // namespace gpt2::cuda
