#include "common/kernels/layer_norm.h"

#include "common/kernels/cuda/column_sums.cuh"
#include "common/kernels/cuda/warp_rows.cuh"
#include "common/kernels/sum_rows.h"

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

__global__ void layer_norm_backward_input_kernel(float* dx, const float* dy, const float* x,
                                                 const float* weight, const float* mean, const float* rstd,
                                                 int64_t rows, int64_t C) {
  GPU_DYNAMIC_SHARED(float, shared);
  const int64_t row = row_of_warp();
  if (row >= rows) return;  // the whole warp returns, and no barrier follows
  float* kept_dy = shared + threadIdx.x / kWarp * 2 * padded(C);
  float* kept_x = kept_dy + padded(C);
  copy_row(kept_dy, dy + row * C, C);
  copy_row(kept_x, x + row * C, C);
  const RowGradient gradient(kept_dy, kept_x, {mean[row], rstd[row]}, weight, C);
  for (int64_t first = first_of_lane(); first < C; first += kLaneStride) {
    store_piece(dx + row * C, first, C,
                gradient.of(load_whole<kFloats>(kept_dy + first), load_whole<kFloats>(kept_x + first),
                            load_piece(weight, first, C)));
  }
}

// Row c of dweights and row c of dbiases become the sums over chunk c of the rows.
template <class Y>
__global__ void layer_norm_backward_weight_kernel(float* dweights, float* dbiases, const Y* dy,
                                                  const float* x, const float* mean, const float* rstd,
                                                  int64_t rows, int64_t C) {
  const ColumnChunk chunk(rows);
  Piece<kFloats> dweight{}, dbias{};
  for (int64_t row = chunk.row; row < chunk.end; row += kRowsAtOnce * kColumnWarps) {
    Values<Y, kFloats> out[kRowsAtOnce];
    Values<float, kFloats> in[kRowsAtOnce];
    float m[kRowsAtOnce], s[kRowsAtOnce];
    for (int r = 0; r < kRowsAtOnce; ++r) {
      const int64_t at = row + r * kColumnWarps;
      const bool inside = at < chunk.end;
      out[r] = load_piece<kFloats>(dy + at * C, chunk.first, inside ? C : 0);
      in[r] = load_piece(x + at * C, chunk.first, inside ? C : 0);
      m[r] = inside ? mean[at] : 0;
      s[r] = inside ? rstd[at] : 0;
    }
    for (int r = 0; r < kRowsAtOnce; ++r) {
      for (int k = 0; k < kFloats; ++k) {
        dweight[k] += out[r][k] * (in[r][k] - m[r]) * s[r];
        dbias[k] += out[r][k];
      }
    }
  }
  store_column_sums(dweights + blockIdx.y * C, dweight, chunk.first, C, 0);
  store_column_sums(dbiases + blockIdx.y * C, dbias, chunk.first, C, 0);
}

}  // namespace

void layer_norm_forward(Stream stream, float* y, float* mean, float* rstd, const float* x,
                        const float* weight, const float* bias, int64_t rows, int64_t C, float eps) {
  const int64_t kept = padded(C) * int64_t{sizeof(float)}, warps = warps_that_keep(kept);
  launch(layer_norm_forward_kernel, {ceil_div(rows, warps)}, {warps * kWarp}, warps * kept, stream, y, mean,
         rstd, x, weight, bias, rows, C, eps);
}

void layer_norm_backward_input(Stream stream, float* dx, const float* dy, const float* x, const float* weight,
                               const float* mean, const float* rstd, int64_t rows, int64_t C) {
  const int64_t kept = 2 * padded(C) * int64_t{sizeof(float)}, warps = warps_that_keep(kept);
  launch(layer_norm_backward_input_kernel, {ceil_div(rows, warps)}, {warps * kWarp}, warps * kept, stream, dx,
         dy, x, weight, mean, rstd, rows, C);
}

// Space for the sums of the chunks of both gradients, and the workspace of sum_rows, which adds them.
int64_t layer_norm_backward_workspace(int64_t rows, int64_t C) {
  const int64_t chunks = row_chunks(rows, C);
  return 2 * chunks * C + sum_rows_workspace(chunks, C);
}

template <class Y>
void layer_norm_backward_weight(Stream stream, float* dweight, float* dbias, const Y* dy, const float* x,
                                const float* mean, const float* rstd, float* workspace, int64_t rows,
                                int64_t C, float beta_w, float beta_b) {
  const int64_t chunks = row_chunks(rows, C);
  float *dweights = workspace, *dbiases = dweights + chunks * C, *rest = dbiases + chunks * C;
  launch(layer_norm_backward_weight_kernel<Y>, {ceil_div(C, kColumns), chunks}, {kColumnWarps * kWarp}, 0,
         stream, dweights, dbiases, dy, x, mean, rstd, rows, C);
  sum_rows(stream, dweight, dweights, rest, chunks, C, beta_w);
  sum_rows(stream, dbias, dbiases, rest, chunks, C, beta_b);
}

template void layer_norm_backward_weight(Stream, float*, float*, const float*, const float*, const float*,
                                         const float*, float*, int64_t, int64_t, float, float);
template void layer_norm_backward_weight(Stream, float*, float*, const bf16*, const float*, const float*,
                                         const float*, float*, int64_t, int64_t, float, float);

}  // namespace gpt2::cuda
