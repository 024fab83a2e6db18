// Shared code of the bf16 flash attention kernels: tiles of heads in shared memory, and their products on
// tensor cores. A block has four warps. Each warp owns 16 rows of the block's result, or a multiple of 16. So
// the warps need to synchronise only when tiles are copied: the fragments of one product become fragments of
// the next within the warp.
//
// since 08_flash_attention
#pragma once

#include "common/kernels/cuda/mma.cuh"
#include "common/kernels/cuda/pieces.cuh"
#include "common/kernels/flash_attention.h"

namespace gpt2::cuda {

inline constexpr int kAttentionWarps = 4, kAttentionThreads = kAttentionWarps * kWarp;
inline constexpr float kLog2E = 1.44269504f;  // exp(x) = 2^(x log2 e)

// ---- heads in memory

// Row t of one head begins at data + t * row_stride.
template <class T>
struct Head {
  T* data;
  int64_t row_stride;

  // `head` counts over (B, heads).
  __device__ Head(const HeadsView<T>& view, const AttentionShape& shape, int64_t head)
      : data(view.data + head / shape.heads * view.batch_stride + head % shape.heads * view.head_stride),
        row_stride(view.row_stride) {}
};

// Whether every row is 16-byte aligned, as 16-byte copies require. GPT-2's rows are; views may begin
// anywhere.
template <class T>
bool is_aligned(const HeadsView<T>& view) {
  const auto whole = [](int64_t stride) { return stride * int64_t(sizeof(T)) % 16 == 0; };
  return reinterpret_cast<uintptr_t>(view.data) % 16 == 0 && whole(view.batch_stride) &&
         whole(view.head_stride) && whole(view.row_stride);
}

// The values of each query that the backward pass needs. The workspace holds them for a whole number of
// tiles; they are 0 from T on.
struct RowStatistics {
  float log_sum_exp;  // base 2
  float dy_y;         // sum over the head of dy * y
};
inline constexpr int64_t kRowsOfTile = 64;
__host__ __device__ inline int64_t padded_rows(int64_t T) { return ceil_div(T, kRowsOfTile) * kRowsOfTile; }

// ---- tiles in shared memory

// Rows of hs bf16, with a gap of 16 bytes between them. So the eight rows that ldmatrix reads together lie in
// different banks for every head size, because (hs + 8) / 8 is odd.
template <int hs>
inline constexpr int kTileStride = hs + 8;
template <int hs, int rows>
inline constexpr int kTileSize = rows* kTileStride<hs>;

// Starts to copy rows t0, t0 + 1, ... to a tile; rows from T on become 0. All threads of the block can use
// the tile after wait_for_copies and a barrier.
template <int hs, int rows>
__device__ __forceinline__ void start_tile(bf16* tile, const Head<const bf16>& head, int64_t t0, int64_t T,
                                           bool is_aligned) {
  constexpr int kPieces = hs / 8;  // pieces of 16 bytes in a row
  for (int piece = threadIdx.x; piece < rows * kPieces; piece += kAttentionThreads) {
    const int row = piece / kPieces, col = piece % kPieces * 8;
    const bool inside = t0 + row < T;
    const bf16* from = inside ? head.data + (t0 + row) * head.row_stride + col : head.data;
    bf16* to = tile + row * kTileStride<hs> + col;
    if (is_aligned) {
      start_copy_16_bytes(to, from, inside);
    } else {
#pragma unroll 1
      for (int i = 0; i < 8; ++i) to[i].bits = inside ? from[i].bits : 0;
    }
  }
}

// Tiles of two matrices that a block goes through (for example keys and values): one pair of tiles in use,
// and one pair being loaded.
template <int hs, int rows>
struct TilePairs {
  static constexpr int kSize = kTileSize<hs, 4 * rows>;
  bf16* shared;

  __device__ __forceinline__ bf16* first(int buffer) const {
    return shared + buffer * kTileSize<hs, 2 * rows>;
  }
  __device__ __forceinline__ bf16* second(int buffer) const { return first(buffer) + kTileSize<hs, rows>; }
  __device__ __forceinline__ void start(int buffer, const Head<const bf16>& a, const Head<const bf16>& b,
                                        int64_t t0, int64_t T, bool is_aligned) const {
    start_tile<hs, rows>(first(buffer), a, t0, T, is_aligned);
    start_tile<hs, rows>(second(buffer), b, t0, T, is_aligned);
  }
};

// ---- fragments and products (mma.cuh)

__device__ __forceinline__ int lane_row() { return threadIdx.x % kWarp / 4; }      // g
__device__ __forceinline__ int lane_col() { return threadIdx.x % kWarp % 4 * 2; }  // 2t

// A lane's part of 16 m x 8 n floats. at[i][j][e] is in row 16 i + g + e / 2 * 8, column 8 j + 2t + e % 2.
template <int m, int n>
struct Sums {
  float at[m][n][4] = {};
};

// A left factor, 16 m x 16 k, in registers.
template <int m, int k>
struct Fragments {
  static constexpr int depth = k;
  uint32_t at[m][k][4];

  __device__ __forceinline__ void get(uint32_t (&out)[4], int i, int kk) const {
    for (int e = 0; e < 4; ++e) out[e] = at[i][kk][e];
  }
};

// A left factor in shared memory (rows of a tile), read when needed.
template <int hs>
struct SharedFragments {
  static constexpr int depth = hs / 16;
  const bf16* rows;

  __device__ __forceinline__ void get(uint32_t (&out)[4], int i, int kk) const {
    const int lane = threadIdx.x % kWarp;
    load_matrices(out, rows + (16 * i + lane % 16) * kTileStride<hs> + 16 * kk + lane / 16 * 8);
  }
};

template <int m, int hs>
__device__ __forceinline__ Fragments<m, hs / 16> load_fragments(const bf16* rows) {
  Fragments<m, hs / 16> fragments;
#pragma unroll
  for (int i = 0; i < m; ++i) {
#pragma unroll
    for (int kk = 0; kk < hs / 16; ++kk) SharedFragments<hs>{rows}.get(fragments.at[i][kk], i, kk);
  }
  return fragments;
}

__device__ __forceinline__ uint32_t rounded_pair(float first, float second) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(first, second);
  uint32_t bits;
  memcpy(&bits, &pair, sizeof bits);
  return bits;
}

// Converts a result to the left factor of the next product: a lane holds the same positions in both.
template <int m, int n>
__device__ __forceinline__ Fragments<m, n / 2> rounded_fragments(const Sums<m, n>& sums) {
  Fragments<m, n / 2> fragments;
#pragma unroll
  for (int i = 0; i < m; ++i) {
#pragma unroll
    for (int j = 0; j < n; ++j) {
      fragments.at[i][j / 2][j % 2 * 2] = rounded_pair(sums.at[i][j][0], sums.at[i][j][1]);
      fragments.at[i][j / 2][j % 2 * 2 + 1] = rounded_pair(sums.at[i][j][2], sums.at[i][j][3]);
    }
  }
  return fragments;
}

// sums (16 m x 8 n) += left (16 m x hs) times the transpose of a tile (8 n x hs).
template <int hs, int m, int n, class Left>
__device__ __forceinline__ void multiply_transposed(Sums<m, n>& sums, const Left& left, const bf16* tile) {
  const int lane = threadIdx.x % kWarp;
  const bf16* lane_tile = tile + (lane % 8 + lane / 16 * 8) * kTileStride<hs> + lane / 8 % 2 * 8;
#pragma unroll
  for (int kk = 0; kk < hs / 16; ++kk) {
    uint32_t a[m][4], b[4];
#pragma unroll
    for (int i = 0; i < m; ++i) left.get(a[i], i, kk);
#pragma unroll
    for (int j = 0; j < n; j += 2) {
      load_matrices(b, lane_tile + 8 * j * kTileStride<hs> + 16 * kk);
#pragma unroll
      for (int i = 0; i < m; ++i) {
        mma_16x8x16(sums.at[i][j], a[i], b[0], b[1]);
        mma_16x8x16(sums.at[i][j + 1], a[i], b[2], b[3]);
      }
    }
  }
}

// sums (16 m x hs) += left (16 m x 16 k) times a tile (16 k x hs).
template <int hs, int m, int k>
__device__ __forceinline__ void multiply(Sums<m, hs / 8>& sums, const Fragments<m, k>& left,
                                         const bf16* tile) {
  const int lane = threadIdx.x % kWarp;
  const bf16* lane_tile = tile + lane % 16 * kTileStride<hs> + lane / 16 * 8;
#pragma unroll
  for (int kk = 0; kk < k; ++kk) {
#pragma unroll
    for (int j = 0; j < hs / 8; j += 2) {
      uint32_t b[4];
      load_matrices_transposed(b, lane_tile + 16 * kk * kTileStride<hs> + 8 * j);
#pragma unroll
      for (int i = 0; i < m; ++i) {
        mma_16x8x16(sums.at[i][j], left.at[i][kk], b[0], b[1]);
        mma_16x8x16(sums.at[i][j + 1], left.at[i][kk], b[2], b[3]);
      }
    }
  }
}

// Writes 16 m rows of the warp, from row t0 on; rows from T on are skipped. The rows pass through `staging`,
// 16 m rows of a tile that no other warp uses, because a lane holds pairs of values but should write 16 bytes
// at a time.
template <int hs, int m>
__device__ __forceinline__ void store_rows(const Head<bf16>& head, const Sums<m, hs / 8>& sums, float factor,
                                           bf16* staging, int64_t t0, int64_t T, bool is_aligned) {
  __syncwarp();  // lanes may still read `staging`
#pragma unroll
  for (int i = 0; i < m; ++i) {
#pragma unroll
    for (int j = 0; j < hs / 8; ++j) {
      for (int half = 0; half < 2; ++half) {
        const uint32_t pair =
            rounded_pair(sums.at[i][j][2 * half] * factor, sums.at[i][j][2 * half + 1] * factor);
        bf16* to = staging + (16 * i + 8 * half + lane_row()) * kTileStride<hs> + 8 * j + lane_col();
        *reinterpret_cast<uint32_t*>(to) = pair;
      }
    }
  }
  __syncwarp();
  for (int piece = threadIdx.x % kWarp; piece < 16 * m * (hs / 8); piece += kWarp) {
    const int row = piece / (hs / 8), col = piece % (hs / 8) * 8;
    if (t0 + row >= T) break;
    const bf16* from = staging + row * kTileStride<hs> + col;
    bf16* to = head.data + (t0 + row) * head.row_stride + col;
    if (is_aligned) {
      store_packed(to, load_packed(from));
    } else {
#pragma unroll 1
      for (int e = 0; e < 8; ++e) to[e].bits = from[e].bits;
    }
  }
}

// ---- float (flash_attention_float.cu)

void flash_attention_forward_float(Stream stream, HeadsView<float> y, float* log_sum_exp,
                                   HeadsView<const float> q, HeadsView<const float> k,
                                   HeadsView<const float> v, const AttentionShape& shape);
void flash_attention_backward_float(Stream stream, HeadsView<float> dq, HeadsView<float> dk,
                                    HeadsView<float> dv, HeadsView<const float> dy, const RowStatistics* rows,
                                    HeadsView<const float> q, HeadsView<const float> k,
                                    HeadsView<const float> v, const AttentionShape& shape);

}  // namespace gpt2::cuda
