#include "common/kernels/add_layer_norm.h"

#include "common/kernels/cuda/layer_norm_backward.cuh"
#include "common/kernels/cuda/warp_rows.cuh"

namespace gpt2::cuda {
namespace {

// Writes sum = x + branch to memory and to shared memory. Each lane writes only places that it has read
// itself, so sum may be x.
template <class X, class B>
__device__ void add_rows(X* sum, float* kept, const X* x, const B* branch, int64_t C) {
  for (int64_t first = first_of_lane(); first < C; first += kLoadsAtOnce * kLaneStride) {
    Values<X, kFloats> pieces[kLoadsAtOnce];
    Values<B, kFloats> addends[kLoadsAtOnce];
    for (int i = 0; i < kLoadsAtOnce; ++i) {
      pieces[i] = load_piece<kFloats>(x, first + i * kLaneStride, C);
      addends[i] = load_piece<kFloats>(branch, first + i * kLaneStride, C);
    }
    for (int i = 0; i < kLoadsAtOnce; ++i) {
      const int64_t at = first + i * kLaneStride;
      if (at >= C) break;
      Piece<kFloats> added;
      for (int k = 0; k < kFloats; ++k) added[k] = pieces[i][k] + addends[i][k];
      store_piece(sum, at, C, added);
      const Piece<kFloats> stored = rounded<X>(added);
      store_whole(kept + at, rounded<float>(stored));
    }
  }
}

template <class X, class B, class Y>
__global__ void add_layer_norm_forward_kernel(X* sum, Y* y, float* mean, float* rstd, const X* x,
                                              const B* branch, const X* weight, const X* bias, int64_t rows,
                                              int64_t C, int64_t branch_rows, float eps) {
  GPU_DYNAMIC_SHARED(float, shared);
  const int64_t row = row_of_warp();
  if (row >= rows) return;  // the whole warp returns, and no barrier follows
  float* kept = shared + threadIdx.x / kWarp * padded(C);
  add_rows(sum + row * C, kept, x + row * C, branch + row % branch_rows * C, C);
  const RowMoments moments = row_moments(kept, C, eps);
  store_normalized(y + row * C, kept, moments, weight, bias, C);
  if (threadIdx.x % kWarp == 0) {
    mean[row] = moments.mean;
    rstd[row] = moments.rstd;
  }
}

// A warp for each row; a lane has a few pieces, with several loads in flight.
template <class X, class Y>
__global__ void layer_norm_again_kernel(Y* y, const X* sum, const float* mean, const float* rstd,
                                        const X* weight, const X* bias, int64_t rows, int64_t C) {
  const int64_t row = row_of_warp();
  if (row >= rows) return;
  const RowMoments moments{mean[row], rstd[row]};
  for (int64_t first = first_of_lane(); first < C; first += kLoadsAtOnce * kLaneStride) {
    Values<X, kFloats> pieces[kLoadsAtOnce];
    for (int i = 0; i < kLoadsAtOnce; ++i) {
      pieces[i] = load_piece<kFloats>(sum + row * C, first + i * kLaneStride, C);
    }
    for (int i = 0; i < kLoadsAtOnce && first + i * kLaneStride < C; ++i) {
      store_normalized(y + row * C, pieces[i], moments, weight, bias, first + i * kLaneStride, C);
    }
  }
}

}  // namespace

template <class X, class B, class Y>
void add_layer_norm_forward(Stream stream, X* sum, Y* y, float* mean, float* rstd, const X* x,
                            const B* branch, const X* weight, const X* bias, int64_t rows, int64_t C,
                            int64_t branch_rows, float eps) {
  const int64_t kept = padded(C) * int64_t{sizeof(float)}, warps = warps_that_keep(kept);
  launch(add_layer_norm_forward_kernel<X, B, Y>, {ceil_div(rows, warps)}, {warps * kWarp}, warps * kept,
         stream, sum, y, mean, rstd, x, branch, weight, bias, rows, C, branch_rows, eps);
}

template <class X, class Y>
void layer_norm_again(Stream stream, Y* y, const X* sum, const float* mean, const float* rstd,
                      const X* weight, const X* bias, int64_t rows, int64_t C) {
  launch(layer_norm_again_kernel<X, Y>, {ceil_div(rows, kMaxWarps)}, {kMaxWarps * kWarp}, 0, stream, y, sum,
         mean, rstd, weight, bias, rows, C);
}

template <class X, class Y>
void add_layer_norm_backward(Stream stream, X* dx, Y* dbranch, X* dweight, X* dbias, float* branch_sums,
                             const Y* dy, const X* dsum, const X* sum, const X* weight, const float* mean,
                             const float* rstd, float* workspace, int64_t rows, int64_t C, float beta_w,
                             float beta_b) {
  const LayerNormBackward<X, Y> p{.dx = dx,
                                  .dbranch = dbranch,
                                  .dweights = workspace,
                                  .dbiases = workspace + layer_norm_blocks(rows) * C,
                                  .branch_sums = branch_sums,
                                  .dy = dy,
                                  .dsum = dsum,
                                  .x = sum,
                                  .weight = weight,
                                  .mean = mean,
                                  .rstd = rstd,
                                  .rows = rows,
                                  .C = int(C)};
  launch_layer_norm_backward(stream, p, dweight, dbias, beta_w, beta_b);
}

template void add_layer_norm_forward(Stream, float*, float*, float*, float*, const float*, const float*,
                                     const float*, const float*, int64_t, int64_t, int64_t, float);
template void add_layer_norm_forward(Stream, float*, bf16*, float*, float*, const float*, const bf16*,
                                     const float*, const float*, int64_t, int64_t, int64_t, float);
template void add_layer_norm_forward(Stream, float*, bf16*, float*, float*, const float*, const float*,
                                     const float*, const float*, int64_t, int64_t, int64_t, float);
template void add_layer_norm_forward(Stream, bf16*, bf16*, float*, float*, const bf16*, const bf16*,
                                     const bf16*, const bf16*, int64_t, int64_t, int64_t, float);
template void layer_norm_again(Stream, float*, const float*, const float*, const float*, const float*,
                               const float*, int64_t, int64_t);
template void layer_norm_again(Stream, bf16*, const float*, const float*, const float*, const float*,
                               const float*, int64_t, int64_t);
template void layer_norm_again(Stream, bf16*, const bf16*, const float*, const float*, const bf16*,
                               const bf16*, int64_t, int64_t);
template void add_layer_norm_backward(Stream, float*, float*, float*, float*, float*, const float*,
                                      const float*, const float*, const float*, const float*, const float*,
                                      float*, int64_t, int64_t, float, float);
template void add_layer_norm_backward(Stream, float*, bf16*, float*, float*, float*, const bf16*,
                                      const float*, const float*, const float*, const float*, const float*,
                                      float*, int64_t, int64_t, float, float);
template void add_layer_norm_backward(Stream, bf16*, bf16*, bf16*, bf16*, float*, const bf16*, const bf16*,
                                      const bf16*, const bf16*, const float*, const float*, float*, int64_t,
                                      int64_t, float, float);

}  // namespace gpt2::cuda
