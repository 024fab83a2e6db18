#include "common/kernels/layernorm.h"

#include "common/kernels/cuda/column_sums.cuh"
#include "common/kernels/sum_rows.h"

namespace gpt2::cuda {
namespace {

// One warp per row: C = 768 is six pieces a lane, and all reductions are shuffles, without a barrier. The row is
// read from memory once, into shared memory; a lane reads there only what it has written itself.
constexpr int kMaxWarps = 8;
constexpr int kLoadsAtOnce = 4;
constexpr int kStride = kWarp * kFloats;  // from one piece of a lane to the next

__host__ __device__ int64_t padded(int64_t C) { return ceil_div(C, kFloats) * kFloats; }

__device__ int64_t row_of_warp() { return blockIdx.x * int64_t{blockDim.x / kWarp} + threadIdx.x / kWarp; }
__device__ int64_t first_of_lane() { return threadIdx.x % kWarp * kFloats; }

// Several loads are in flight before the first is stored. Beyond the row's end, the copy is filled up with 0.
__device__ void copy_row(float* to, const float* row, int64_t C) {
  for (int64_t first = first_of_lane(); first < C; first += kLoadsAtOnce * kStride) {
    Piece<kFloats> pieces[kLoadsAtOnce];
    for (int i = 0; i < kLoadsAtOnce; ++i) pieces[i] = load_piece(row, first + i * kStride, C);
    for (int i = 0; i < kLoadsAtOnce; ++i) {
      if (first + i * kStride < C) store_packed(to + first + i * kStride, pieces[i]);
    }
  }
}

// Warps in a block that keep `rows_kept` rows of C each in the 48 KB of shared memory that every GPU gives.
int64_t warps_per_block(int64_t C, int64_t rows_kept) {
  const int64_t fit = int64_t(kSharedBytesByDefault / (rows_kept * padded(C) * sizeof(float)));
  return std::clamp<int64_t>(fit, 1, kMaxWarps);
}

__global__ void layernorm_forward_kernel(float* y, float* mean, float* rstd, const float* x,
                                         const float* weight, const float* bias, int64_t rows, int64_t C,
                                         float eps) {
  GPU_DYNAMIC_SHARED(float, shared);
  const int64_t row = row_of_warp();
  if (row >= rows) return;  // a whole warp, and no barrier follows
  float* kept = shared + threadIdx.x / kWarp * padded(C);
  copy_row(kept, x + row * C, C);

  float sum = 0;
  for (int64_t first = first_of_lane(); first < C; first += kStride) {
    for (const float value : load_packed(kept + first).values) sum += value;
  }
  const float m = warp_sum(sum) / C;

  float squares = 0;
  for (int64_t first = first_of_lane(); first < C; first += kStride) {
    const Piece<kFloats> piece = load_packed(kept + first);
    for (int k = 0; k < kFloats; ++k) squares += first + k < C ? (piece[k] - m) * (piece[k] - m) : 0;
  }
  const float s = 1 / sqrtf(warp_sum(squares) / C + eps);

  for (int64_t first = first_of_lane(); first < C; first += kStride) {
    const Piece<kFloats> w = load_piece(weight, first, C), b = load_piece(bias, first, C);
    Piece<kFloats> piece = load_packed(kept + first);
    for (int k = 0; k < kFloats; ++k) piece[k] = (piece[k] - m) * s * w[k] + b[k];
    store_piece(y + row * C, first, C, piece);
  }
  if (threadIdx.x % kWarp == 0) {
    mean[row] = m;
    rstd[row] = s;
  }
}

__global__ void layernorm_backward_input_kernel(float* dx, const float* dy, const float* x,
                                                const float* weight, const float* mean, const float* rstd,
                                                int64_t rows, int64_t C) {
  GPU_DYNAMIC_SHARED(float, shared);
  const int64_t row = row_of_warp();
  if (row >= rows) return;  // a whole warp, and no barrier follows
  float* kept_dy = shared + threadIdx.x / kWarp * 2 * padded(C);
  float* kept_x = kept_dy + padded(C);
  copy_row(kept_dy, dy + row * C, C);
  copy_row(kept_x, x + row * C, C);
  const float m = mean[row], s = rstd[row];

  float sum_g = 0, sum_g_x_hat = 0;
  for (int64_t first = first_of_lane(); first < C; first += kStride) {
    const Piece<kFloats> w = load_piece(weight, first, C), in = load_packed(kept_x + first);
    const Piece<kFloats> out = load_packed(kept_dy + first);
    for (int k = 0; k < kFloats; ++k) {
      const float g = out[k] * w[k];
      sum_g += g;
      sum_g_x_hat += g * (in[k] - m) * s;
    }
  }
  const float mean_g = warp_sum(sum_g) / C, mean_g_x_hat = warp_sum(sum_g_x_hat) / C;

  for (int64_t first = first_of_lane(); first < C; first += kStride) {
    const Piece<kFloats> w = load_piece(weight, first, C), in = load_packed(kept_x + first);
    Piece<kFloats> out = load_packed(kept_dy + first);
    for (int k = 0; k < kFloats; ++k) {
      out[k] = s * (out[k] * w[k] - mean_g - (in[k] - m) * s * mean_g_x_hat);
    }
    store_piece(dx + row * C, first, C, out);
  }
}

// Row c of dweights and of dbiases becomes the sum over chunk c of the rows.
template <class Y>
__global__ void layernorm_backward_weight_kernel(float* dweights, float* dbiases, const Y* dy, const float* x,
                                                 const float* mean, const float* rstd, int64_t rows,
                                                 int64_t C) {
  const ColumnChunk chunk(rows);
  Piece<kFloats> dweight{}, dbias{};
  for (int64_t row = chunk.row; row < chunk.end; row += kRowsAtOnce * kColumnWarps) {
    Piece<kFloats> out[kRowsAtOnce], in[kRowsAtOnce];
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

void layernorm_forward(Stream stream, float* y, float* mean, float* rstd, const float* x, const float* weight,
                       const float* bias, int64_t rows, int64_t C, float eps) {
  const int64_t warps = warps_per_block(C, 1);
  launch(layernorm_forward_kernel, {ceil_div(rows, warps)}, {warps * kWarp},
         warps * padded(C) * sizeof(float), stream, y, mean, rstd, x, weight, bias, rows, C, eps);
}

void layernorm_backward_input(Stream stream, float* dx, const float* dy, const float* x, const float* weight,
                              const float* mean, const float* rstd, int64_t rows, int64_t C) {
  const int64_t warps = warps_per_block(C, 2);
  launch(layernorm_backward_input_kernel, {ceil_div(rows, warps)}, {warps * kWarp},
         warps * 2 * padded(C) * sizeof(float), stream, dx, dy, x, weight, mean, rstd, rows, C);
}

// The sums of both gradients' chunks, and what it takes to add them up.
int64_t layernorm_backward_workspace(int64_t rows, int64_t C) {
  const int64_t chunks = row_chunks(rows, C);
  return 2 * chunks * C + sum_rows_workspace(chunks, C);
}

template <class Y>
void layernorm_backward_weight(Stream stream, float* dweight, float* dbias, const Y* dy, const float* x,
                               const float* mean, const float* rstd, float* workspace, int64_t rows,
                               int64_t C, float beta_w, float beta_b) {
  const int64_t chunks = row_chunks(rows, C);
  float *dweights = workspace, *dbiases = dweights + chunks * C, *rest = dbiases + chunks * C;
  launch(layernorm_backward_weight_kernel<Y>, {ceil_div(C, kColumns), chunks}, {kColumnWarps * kWarp}, 0,
         stream, dweights, dbiases, dy, x, mean, rstd, rows, C);
  sum_rows(stream, dweight, dweights, rest, chunks, C, beta_w);
  sum_rows(stream, dbias, dbiases, rest, chunks, C, beta_b);
}

template void layernorm_backward_weight(Stream, float*, float*, const float*, const float*, const float*,
                                        const float*, float*, int64_t, int64_t, float, float);
template void layernorm_backward_weight(Stream, float*, float*, const bf16*, const float*, const float*,
                                        const float*, float*, int64_t, int64_t, float, float);

}  // namespace gpt2::cuda
