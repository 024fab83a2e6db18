// Sums over the rows of a matrix, column by column, in an order that depends only on the shape.
//
// A block sums 128 columns of a chunk of rows: lane l of each of its 8 warps holds columns 4l to 4l + 3, and
// warp w adds rows w, w + 8, w + 16 ... of the chunk. Then the sums of the warps are added in order. If there
// are too few columns to fill a GPU, the rows are divided into several chunks. The sums of the chunks are the
// rows of a small matrix, which a second, small launch adds up. There are no atomics: the same input gives
// the same bits.
//
// since 04_overfit
#pragma once

#include <algorithm>

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {

inline constexpr int kColumnWarps = 8;
inline constexpr int kColumns = kWarp * kFloats;  // columns per block
inline constexpr int kRowsAtOnce = 4;             // loads in flight before the first is added

// The number of chunks, at least one. 512 blocks are about four per multiprocessor of a large GPU. With fewer
// than 128 rows per chunk, the second launch would have too much to add.
inline int64_t row_chunks(int64_t rows, int64_t cols) {
  const int64_t enough = ceil_div(512, ceil_div(cols, kColumns));
  return std::clamp<int64_t>(ceil_div(rows, 128), 1, enough);
}

// The part of one thread. The next row of its warp is row + kColumnWarps.
struct ColumnChunk {
  int64_t first;     // the first of this lane's columns
  int64_t row, end;  // the first row of this warp, and the end of the chunk

  __device__ explicit ColumnChunk(int64_t rows)
      : first(blockIdx.x * int64_t{kColumns} + threadIdx.x % kWarp * kFloats) {
    const int64_t of_chunk = ceil_div(rows, gridDim.y);
    row = blockIdx.y * of_chunk + threadIdx.x / kWarp;
    end = min((blockIdx.y + 1) * of_chunk, rows);
  }
};

// The sum of this thread's rows of x, with n_loads loads in flight before the first is added.
template <int n_loads = kRowsAtOnce, class X>
__device__ Piece<kFloats> sum_of_columns(const ColumnChunk& chunk, const X* x, int64_t cols) {
  Piece<kFloats> sum{};
  for (int64_t row = chunk.row; row < chunk.end; row += n_loads * kColumnWarps) {
    Values<X, kFloats> pieces[n_loads];
    for (int r = 0; r < n_loads; ++r) {
      const int64_t at = row + r * kColumnWarps;
      pieces[r] = load_piece<kFloats>(x + at * cols, chunk.first, at < chunk.end ? cols : 0);
    }
    for (const auto& piece : pieces) {
      for (int k = 0; k < kFloats; ++k) sum[k] += piece[k];
    }
  }
  return sum;
}

// Adds the sums of the block's warps and writes out = beta * out + sum. All threads of the block must call
// it.
template <class Y>
__device__ void store_column_sums(Y* out, Piece<kFloats> sum, int64_t first, int64_t cols, float beta) {
  __shared__ Piece<kFloats> of_warp[kColumnWarps][kWarp];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  of_warp[warp][lane] = sum;
  __syncthreads();
  if (warp == 0) {
    for (int w = 1; w < kColumnWarps; ++w) {
      for (int k = 0; k < kFloats; ++k) sum[k] += of_warp[w][lane][k];
    }
    if (beta != 0) {
      const Piece<kFloats> old = load_piece<kFloats>(out, first, cols);
      for (int k = 0; k < kFloats; ++k) sum[k] += beta * old[k];
    }
    store_piece(out, first, cols, sum);
  }
  __syncthreads();  // the next call writes of_warp again
}

}  // namespace gpt2::cuda
