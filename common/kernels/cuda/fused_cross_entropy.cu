#include "common/kernels/fused_cross_entropy.h"

#include "common/kernels/cuda/mean.h"
#include "common/kernels/cuda/online_sum.cuh"

namespace gpt2::cuda {
namespace {

constexpr int kMaxThreads = 512;
constexpr int kLoadsAtOnce = 4;

// One block per row. It reads the row once, because the logits are the largest tensor of the model. Four
// loads are in flight before the first value is used.
template <class T>
__global__ void fused_cross_entropy_forward_kernel(float* losses, float* largest, float* log_sum,
                                                   const T* logits, const int32_t* targets, int64_t V,
                                                   int64_t Vp) {
  constexpr int N = kPiece<T>;
  const int64_t row = blockIdx.x, stride = int64_t{blockDim.x} * N;
  logits += row * Vp;
  OnlineSum online;
  for (int64_t first = first_aligned<N>(logits) + threadIdx.x * N; first < V;
       first += kLoadsAtOnce * stride) {
    Values<T, N> pieces[kLoadsAtOnce];
    for (int i = 0; i < kLoadsAtOnce; ++i) pieces[i] = load_piece(logits, first + i * stride, V, -INFINITY);
    for (int i = 0; i < kLoadsAtOnce && first + i * stride < V; ++i) online.add(Piece<N>(pieces[i]));
  }
  const OnlineSum all = online.of_block();
  if (threadIdx.x == 0) {
    largest[row] = all.largest;
    log_sum[row] = logf(all.sum);
    losses[row] = log_sum[row] - (logits[targets[row]] - all.largest);
  }
}

// One piece per thread, read and written in place.
template <class T>
__global__ void fused_cross_entropy_backward_kernel(T* logits, const float* largest, const float* log_sum,
                                                    const int32_t* targets, const float* dloss, int64_t V,
                                                    int64_t Vp) {
  constexpr int N = kPiece<T>;
  const int64_t row = blockIdx.x;
  logits += row * Vp;
  const int64_t first = first_aligned<N>(logits) + (blockIdx.y * int64_t{blockDim.x} + threadIdx.x) * N;
  if (first >= Vp) return;
  Piece<N> piece = load_piece(logits, first, V);
  const float top = largest[row], rest = log_sum[row], scale = *dloss / gridDim.x;
  const int target = int(targets[row] - first), seen = int(min(V - first, int64_t{N}));
  for (int k = 0; k < N; ++k) {
    const float gradient = (expf(piece[k] - top - rest) - (k == target ? 1 : 0)) * scale;
    piece[k] = k < seen ? gradient : 0;  // columns from V on are padding
  }
  store_piece(logits, first, Vp, piece);
}

}  // namespace

template <class T>
void fused_cross_entropy_forward(Stream stream, float* loss, float* losses, float* largest, float* log_sum,
                                 const T* logits, const int32_t* targets, int64_t rows, int64_t V,
                                 int64_t Vp) {
  launch(fused_cross_entropy_forward_kernel<T>, {rows}, {threads_for_row<kPiece<T>>(V, kMaxThreads)}, 0,
         stream, losses, largest, log_sum, logits, targets, V, Vp);
  mean(stream, loss, losses, rows);
}

template <class T>
void fused_cross_entropy_backward(Stream stream, T* logits, const float* largest, const float* log_sum,
                                  const int32_t* targets, const float* dloss, int64_t rows, int64_t V,
                                  int64_t Vp) {
  const int64_t pieces = ceil_div(Vp, kPiece<T>) + 1;  // one more, because a row may begin inside a piece
  launch(fused_cross_entropy_backward_kernel<T>, {rows, ceil_div(pieces, kBlock)}, {kBlock}, 0, stream,
         logits, largest, log_sum, targets, dloss, V, Vp);
}

template void fused_cross_entropy_forward(Stream, float*, float*, float*, float*, const float*,
                                          const int32_t*, int64_t, int64_t, int64_t);
template void fused_cross_entropy_forward(Stream, float*, float*, float*, float*, const bf16*, const int32_t*,
                                          int64_t, int64_t, int64_t);
template void fused_cross_entropy_backward(Stream, float*, const float*, const float*, const int32_t*,
                                           const float*, int64_t, int64_t, int64_t);
template void fused_cross_entropy_backward(Stream, bf16*, const float*, const float*, const int32_t*,
                                           const float*, int64_t, int64_t, int64_t);

}  // namespace gpt2::cuda
