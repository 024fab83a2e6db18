#include "common/kernels/cross_entropy.h"

#include "common/kernels/cuda/mean.h"
#include "common/kernels/cuda/online_sum.cuh"

namespace gpt2::cuda {
namespace {

constexpr int kMaxThreads = 512;
constexpr int kLoadsAtOnce = 4;

// One block per row. It reads the row once, because with 50257 columns the logits are the largest tensor of
// the model. Four loads are in flight before the first value is used.
__global__ void cross_entropy_forward_kernel(float* losses, float* log_sum_exp, const float* logits,
                                             const int32_t* targets, int64_t V) {
  const int64_t row = blockIdx.x, stride = int64_t{blockDim.x} * kFloats;
  logits += row * V;
  OnlineSum online;
  for (int64_t first = first_aligned<kFloats>(logits) + threadIdx.x * kFloats; first < V;
       first += kLoadsAtOnce * stride) {
    Piece<kFloats> pieces[kLoadsAtOnce];
    for (int i = 0; i < kLoadsAtOnce; ++i) pieces[i] = load_piece(logits, first + i * stride, V, -INFINITY);
    for (const Piece<kFloats>& piece : pieces) online.add(piece);
  }
  const OnlineSum all = online.of_block();
  if (threadIdx.x == 0) {
    log_sum_exp[row] = all.largest + logf(all.sum);
    losses[row] = log_sum_exp[row] - logits[targets[row]];
  }
}

__global__ void cross_entropy_backward_kernel(float* dlogits, const float* logits, const float* log_sum_exp,
                                              const int32_t* targets, const float* dloss, int64_t V) {
  const int64_t row = blockIdx.x, target = targets[row];
  const float offset = log_sum_exp[row], scale = *dloss / gridDim.x;
  logits += row * V;
  dlogits += row * V;
  const int64_t piece_of_row = blockIdx.y * int64_t{blockDim.x} + threadIdx.x;
  const int64_t first = first_aligned<kFloats>(logits) + piece_of_row * kFloats;
  Piece<kFloats> piece = load_piece(logits, first, V);
  for (int k = 0; k < kFloats; ++k) {
    piece[k] = (expf(piece[k] - offset) - (first + k == target ? 1 : 0)) * scale;
  }
  store_piece(dlogits, first, V, piece);
}

}  // namespace

void cross_entropy_forward(Stream stream, float* loss, float* losses, float* log_sum_exp, const float* logits,
                           const int32_t* targets, int64_t rows, int64_t V) {
  launch(cross_entropy_forward_kernel, {rows}, {threads_for_row<kFloats>(V, kMaxThreads)}, 0, stream, losses,
         log_sum_exp, logits, targets, V);
  mean(stream, loss, losses, rows);
}

void cross_entropy_backward(Stream stream, float* dlogits, const float* logits, const float* log_sum_exp,
                            const int32_t* targets, const float* dloss, int64_t rows, int64_t V) {
  const int64_t pieces = ceil_div(V, kFloats) + 1;  // one more, because a row may begin inside a piece
  launch(cross_entropy_backward_kernel, {rows, ceil_div(pieces, kBlock)}, {kBlock}, 0, stream, dlogits,
         logits, log_sum_exp, targets, dloss, V);
}

}  // namespace gpt2::cuda
