// Kernels in which a warp owns a row: all reductions are shuffles, without a barrier.
//
// The row is read from memory once, into shared memory, four values a lane at a time; a lane reads there only what
// it has written itself, so that not even the warp has to wait for its lanes. C = 768 is six pieces a lane.
//
// since 01_module
#pragma once

#include <algorithm>

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {

inline constexpr int kMaxWarps = 8;                  // in a block
inline constexpr int kLoadsAtOnce = 4;               // in flight before the first is used
inline constexpr int kLaneStride = kWarp * kFloats;  // from one piece of a lane to the next

// What a row takes in shared memory: whole pieces.
__host__ __device__ inline int64_t padded(int64_t C) { return ceil_div(C, kFloats) * kFloats; }

__device__ inline int64_t row_of_warp() {
  return blockIdx.x * int64_t{blockDim.x / kWarp} + threadIdx.x / kWarp;
}
__device__ inline int64_t first_of_lane() { return threadIdx.x % kWarp * kFloats; }

// Several loads are in flight before the first is stored. Beyond the row's end, the copy is filled up with 0.
template <class T>
__device__ void copy_row(T* to, const T* row, int64_t C) {
  for (int64_t first = first_of_lane(); first < C; first += kLoadsAtOnce * kLaneStride) {
    Values<T, kFloats> pieces[kLoadsAtOnce];
    for (int i = 0; i < kLoadsAtOnce; ++i) pieces[i] = load_piece<kFloats>(row, first + i * kLaneStride, C);
    for (int i = 0; i < kLoadsAtOnce; ++i) {
      if (first + i * kLaneStride < C) store_whole(to + first + i * kLaneStride, pieces[i]);
    }
  }
}

struct RowMoments {
  float mean, rstd;  // rstd = 1 / sqrt(variance + eps)
};

// Of a row in shared memory. Around the mean, not E[x^2] - mean^2, which cancels.
__device__ inline RowMoments row_moments(const float* kept, int64_t C, float eps) {
  float sum = 0;
  for (int64_t first = first_of_lane(); first < C; first += kLaneStride) {
    const Piece<kFloats> piece = load_whole<kFloats>(kept + first);
    for (const float value : piece.values) sum += value;
  }
  const float m = warp_sum(sum) / C;
  float squares = 0;
  for (int64_t first = first_of_lane(); first < C; first += kLaneStride) {
    const Piece<kFloats> piece = load_whole<kFloats>(kept + first);
    for (int k = 0; k < kFloats; ++k) squares += first + k < C ? (piece[k] - m) * (piece[k] - m) : 0;
  }
  return {m, 1 / sqrtf(warp_sum(squares) / C + eps)};
}

// y = (x - mean) * rstd * weight + bias, x in shared memory.
template <class Y>
__device__ void store_normalized(Y* y, const float* kept, const RowMoments& row, const float* weight,
                                 const float* bias, int64_t C) {
  for (int64_t first = first_of_lane(); first < C; first += kLaneStride) {
    const Piece<kFloats> w = load_piece(weight, first, C), b = load_piece(bias, first, C);
    Piece<kFloats> piece = load_whole<kFloats>(kept + first);
    for (int k = 0; k < kFloats; ++k) piece[k] = (piece[k] - row.mean) * row.rstd * w[k] + b[k];
    store_piece(y, first, C, piece);
  }
}

// The gradient that goes back through a row's normalisation, in two steps: means over the row, then its values.
struct RowGradient {
  RowMoments row;
  float mean_g, mean_g_x_hat;  // g = dy * weight, x_hat = (x - mean) * rstd

  // dy and x in shared memory.
  template <class Y>
  __device__ RowGradient(const Y* kept_dy, const float* kept_x, const RowMoments& moments,
                         const float* weight, int64_t C)
      : row(moments) {
    float sum_g = 0, sum_g_x_hat = 0;
    for (int64_t first = first_of_lane(); first < C; first += kLaneStride) {
      const Piece<kFloats> w = load_piece(weight, first, C), in = load_whole<kFloats>(kept_x + first);
      const Piece<kFloats> out = load_whole<kFloats>(kept_dy + first);
      for (int k = 0; k < kFloats; ++k) {
        const float g = out[k] * w[k];
        sum_g += g;
        sum_g_x_hat += g * (in[k] - row.mean) * row.rstd;
      }
    }
    mean_g = warp_sum(sum_g) / C;
    mean_g_x_hat = warp_sum(sum_g_x_hat) / C;
  }

  // dx = rstd * (g - mean(g) - x_hat * mean(g * x_hat)) of one piece.
  __device__ Piece<kFloats> of(const Piece<kFloats>& dy, const Piece<kFloats>& x,
                               const Piece<kFloats>& weight) const {
    Piece<kFloats> dx;
    for (int k = 0; k < kFloats; ++k) {
      dx[k] = row.rstd * (dy[k] * weight[k] - mean_g - (x[k] - row.mean) * row.rstd * mean_g_x_hat);
    }
    return dx;
  }
};

// Warps in a block that keep `bytes` each in the 48 KB of shared memory that every GPU gives.
inline int64_t warps_that_keep(int64_t bytes) {
  return std::clamp<int64_t>(int64_t(kSharedBytesByDefault) / bytes, 1, kMaxWarps);
}

}  // namespace gpt2::cuda
