// Kernels in which a warp owns a row: all reductions are shuffles, without a barrier.
//
// The row is read from memory once, into shared memory, four values per lane at a time. A lane reads from
// shared memory only what it has written itself, so no synchronisation is needed, not even within the warp. C
// = 768 is six pieces per lane.
//
// since 01_module
#pragma once

#include <algorithm>

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {

inline constexpr int kMaxWarps = 8;                  // per block
inline constexpr int kLoadsAtOnce = 4;               // loads in flight before the first is used
inline constexpr int kLaneStride = kWarp * kFloats;  // from one piece of a lane to the next

// The number of values that a row occupies in shared memory: whole pieces.
__host__ __device__ inline int64_t padded(int64_t C) { return ceil_div(C, kFloats) * kFloats; }

__device__ inline int64_t row_of_warp() {
  return blockIdx.x * int64_t{blockDim.x / kWarp} + threadIdx.x / kWarp;
}
__device__ inline int64_t first_of_lane() { return threadIdx.x % kWarp * kFloats; }

// Several loads are in flight before the first is stored. After the end of the row, the copy is filled with
// 0.
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

// The moments of a row in shared memory. The variance is the mean of (x - mean)^2; E[x^2] - mean^2 would
// suffer from cancellation.
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

// The piece of y at `first`: (x - mean) * rstd * weight + bias.
template <class Y, class W>
__device__ void store_normalized(Y* y, Piece<kFloats> x, const RowMoments& row, const W* weight,
                                 const W* bias, int64_t first, int64_t C) {
  const Piece<kFloats> w = load_piece<kFloats>(weight, first, C), b = load_piece<kFloats>(bias, first, C);
  for (int k = 0; k < kFloats; ++k) x[k] = (x[k] - row.mean) * row.rstd * w[k] + b[k];
  store_piece(y, first, C, x);
}

// The whole row; x in shared memory.
template <class Y, class W>
__device__ void store_normalized(Y* y, const float* kept, const RowMoments& row, const W* weight,
                                 const W* bias, int64_t C) {
  for (int64_t first = first_of_lane(); first < C; first += kLaneStride) {
    store_normalized(y, load_whole<kFloats>(kept + first), row, weight, bias, first, C);
  }
}

// The number of warps per block if each needs `bytes` of the 48 KB of shared memory that every GPU has.
inline int64_t warps_that_keep(int64_t bytes) {
  return std::clamp<int64_t>(int64_t(kSharedBytesByDefault) / bytes, 1, kMaxWarps);
}

}  // namespace gpt2::cuda
