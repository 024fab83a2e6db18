#include "common/kernels/layer_norm.h"

#include "common/kernels/cuda/layer_norm_backward.cuh"
#include "common/kernels/cuda/warp_rows.cuh"

namespace gpt2::cuda {
namespace {

__global__ void layer_norm_forward_kernel(float* y, float* mean, float* rstd, const float* x,
                                          const float* weight, const float* bias, int64_t rows, int64_t C,
                                          float eps) {
  GPU_DYNAMIC_SHARED(float, shared);
  const int64_t row = row_of_warp();
  if (row >= rows) return;  // the whole warp returns, and no barrier follows
  float* kept = shared + threadIdx.x / kWarp * padded(C);
  copy_row(kept, x + row * C, C);
  const RowMoments moments = row_moments(kept, C, eps);
  store_normalized(y + row * C, kept, moments, weight, bias, C);
  if (threadIdx.x % kWarp == 0) {
    mean[row] = moments.mean;
    rstd[row] = moments.rstd;
  }
}

}  // namespace

void layer_norm_forward(Stream stream, float* y, float* mean, float* rstd, const float* x,
                        const float* weight, const float* bias, int64_t rows, int64_t C, float eps) {
  const int64_t kept = padded(C) * int64_t{sizeof(float)}, warps = warps_that_keep(kept);
  launch(layer_norm_forward_kernel, {ceil_div(rows, warps)}, {warps * kWarp}, warps * kept, stream, y, mean,
         rstd, x, weight, bias, rows, C, eps);
}

int64_t layer_norm_partial_sums(int64_t rows) { return layer_norm_blocks(rows); }

int64_t layer_norm_backward_workspace(int64_t rows, int64_t C) { return 2 * layer_norm_blocks(rows) * C; }

void layer_norm_backward(Stream stream, float* dx, float* dweight, float* dbias, const float* dy,
                         const float* x, const float* weight, const float* mean, const float* rstd,
                         float* workspace, int64_t rows, int64_t C, float beta_w, float beta_b) {
  const LayerNormBackward<float, float> p{.dx = dx,
                                          .dbranch = nullptr,
                                          .dweights = workspace,
                                          .dbiases = workspace + layer_norm_blocks(rows) * C,
                                          .branch_sums = nullptr,
                                          .dy = dy,
                                          .dsum = nullptr,
                                          .x = x,
                                          .weight = weight,
                                          .mean = mean,
                                          .rstd = rstd,
                                          .rows = rows,
                                          .C = int(C)};
  launch_layer_norm_backward(stream, p, dweight, dbias, beta_w, beta_b);
}

}  // namespace gpt2::cuda
