// Sums over the rows of a matrix, column by column, in an order that depends on the shape alone.
//
// A block adds up 128 columns of a chunk of rows: lane l of each of its 8 warps holds columns 4l to 4l + 3,
// and warp w adds rows w, w + 8, w + 16 ... of the chunk. Then the warps' sums are added in order. Where
// there are too few columns to fill a GPU, the rows are cut into several chunks, whose sums are again rows of
// a matrix: few enough to be added by a second, small launch. No atomics: the same input gives the same bits.
//
// since 04_overfit
#pragma once

#include <algorithm>

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {

inline constexpr int kColumnWarps = 8;
inline constexpr int kColumns = kWarp * kFloats;  // of a block
inline constexpr int kRowsAtOnce = 4;             // loads in flight before the first is added

// At least one. 512 blocks are about four for each of a large GPU's multiprocessors; with fewer than 128 rows
// a chunk, the second launch would have too much to add.
inline int64_t row_chunks(int64_t rows, int64_t cols) {
  const int64_t enough = ceil_div(512, ceil_div(cols, kColumns));
  return std::clamp<int64_t>(ceil_div(rows, 128), 1, enough);
}

// One thread's part of the above; its warp goes on to row + kColumnWarps.
struct ColumnChunk {
  int64_t first;     // of this lane's columns
  int64_t row, end;  // this warp's first row, and the end of the chunk

  __device__ explicit ColumnChunk(int64_t rows)
      : first(blockIdx.x * int64_t{kColumns} + threadIdx.x % kWarp * kFloats) {
    const int64_t of_chunk = ceil_div(rows, gridDim.y);
    row = blockIdx.y * of_chunk + threadIdx.x / kWarp;
    end = min((blockIdx.y + 1) * of_chunk, rows);
  }
};

// Adds the sums of the block's warps and writes out = beta * out + sum; all threads come here.
__device__ inline void store_column_sums(float* out, Piece<kFloats> sum, int64_t first, int64_t cols,
                                         float beta) {
  __shared__ Piece<kFloats> of_warp[kColumnWarps][kWarp];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  of_warp[warp][lane] = sum;
  __syncthreads();
  if (warp == 0) {
    for (int w = 1; w < kColumnWarps; ++w) {
      for (int k = 0; k < kFloats; ++k) sum[k] += of_warp[w][lane][k];
    }
    if (beta != 0) {
      const Piece<kFloats> old = load_piece(out, first, cols);
      for (int k = 0; k < kFloats; ++k) sum[k] += beta * old[k];
    }
    store_piece(out, first, cols, sum);
  }
  __syncthreads();  // of_warp is written again by the next call
}

}  // namespace gpt2::cuda
