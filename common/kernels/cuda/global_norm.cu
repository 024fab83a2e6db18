#include "common/kernels/global_norm.h"

#include <algorithm>

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int kRootThreads = 1024;
constexpr int kPiecesAtOnce = 4;  // loads in flight before the first is squared

// Block b sums chunk b: each thread has some pieces, kThreads pieces apart.
template <class G>
__global__ void squares_kernel(float* sums, const G* x, int64_t n) {
  constexpr int N = kPiece<G>, kStride = kThreads * N;
  const int64_t begin = blockIdx.x * kNormChunk, end = min(begin + kNormChunk, n);
  float sum = 0;
  for (int64_t first = begin + threadIdx.x * N; first < end; first += kPiecesAtOnce * kStride) {
    Values<G, N> pieces[kPiecesAtOnce];
    for (int i = 0; i < kPiecesAtOnce; ++i) pieces[i] = load_piece<N>(x, first + i * kStride, end);
    for (int i = 0; i < kPiecesAtOnce; ++i) {
      for (int k = 0; k < N; ++k) sum += pieces[i][k] * pieces[i][k];
    }
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

__global__ void root_kernel(float* norm, const float* sums, int64_t chunks) {
  float sum = 0;
  for (int64_t i = threadIdx.x; i < chunks; i += kRootThreads) sum += sums[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *norm = sqrtf(sum);
}

}  // namespace

template <class G>
void sum_squares(Stream stream, float* sums, const G* x, int64_t n) {
  if (n > 0) launch(squares_kernel<G>, {norm_chunks(n)}, {kThreads}, 0, stream, sums, x, n);
}

void root_of_sum(Stream stream, float* norm, const float* sums, int64_t chunks) {
  launch(root_kernel, {1}, {kRootThreads}, 0, stream, norm, sums, chunks);
}

template <class G>
void global_norm(Stream stream, float* norm, const G* x, float* workspace, int64_t n) {
  sum_squares(stream, workspace, x, n);
  root_of_sum(stream, norm, workspace, norm_chunks(n));
}

template void global_norm(Stream, float*, const float*, float*, int64_t);
template void global_norm(Stream, float*, const bf16*, float*, int64_t);
template void sum_squares(Stream, float*, const float*, int64_t);
template void sum_squares(Stream, float*, const bf16*, int64_t);

}  // namespace gpt2::cuda
