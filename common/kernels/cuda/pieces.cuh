// Reading and writing in pieces of 16 bytes, wherever a row begins and ends.
//
// Memory moves at full speed only 16 bytes a thread at a time, from 16-byte aligned addresses. But tensors may
// be views that begin anywhere, and a row of 50257 floats is aligned in one row of four. So every kernel reads
// and writes through these two functions: one instruction where a piece is whole and aligned, value by value
// where it is not. A kernel has one version, and only ragged rows pay for being ragged.
//
// since 01_module
#pragma once

#include "common/kernels/cuda/gpu.cuh"

namespace gpt2::cuda {

inline constexpr int kFloats = Packed<float>::size;  // in a piece
inline constexpr int kBlock = 256;           // threads in a block, where nothing asks for another number
inline constexpr int64_t kMaxGridY = 65535;  // CUDA's limit on blocks in y and z

__device__ inline bool is_whole(const float* row, int64_t first, int64_t n) {
  return first >= 0 && first + kFloats <= n && reinterpret_cast<uintptr_t>(row + first) % 16 == 0;
}

// row[first] ... row[first + 3] of a row of n values; `outside` for indices below 0 and from n on.
__device__ inline Packed<float> load_piece(const float* row, int64_t first, int64_t n, float outside = 0) {
  if (is_whole(row, first, n)) return load_packed(row + first);
  Packed<float> piece;
  for (int k = 0; k < kFloats; ++k) {
    const int64_t i = first + k;
    piece[k] = 0 <= i && i < n ? row[i] : outside;
  }
  return piece;
}

// Writes the values that lie inside the row. __stcg is one instruction, whatever the compiler knows about the
// pointer (nvcc 13 makes four of an assignment here and there), and leaves the first-level cache to what is read.
__device__ inline void store_piece(float* row, int64_t first, int64_t n, const Packed<float>& piece) {
  if (is_whole(row, first, n)) {
    __stcg(reinterpret_cast<float4*>(row + first), make_float4(piece[0], piece[1], piece[2], piece[3]));
    return;
  }
  for (int k = 0; k < kFloats; ++k) {
    const int64_t i = first + k;
    if (0 <= i && i < n) row[i] = piece[k];
  }
}

// 0 to -3: where the 16-byte aligned piece begins that holds row[0]. A thread that counts from here finds whole
// pieces in every row, except at its two ends.
__device__ inline int64_t first_aligned(const float* row) {
  return -int64_t(reinterpret_cast<uintptr_t>(row) % 16 / sizeof(float));
}

// The index of the first value of this thread's piece, in kernels that give each thread one piece of n values.
__device__ inline int64_t first_of_thread() {
  return (blockIdx.x * int64_t{blockDim.x} + threadIdx.x) * kFloats;
}

inline int64_t blocks_for(int64_t n) { return ceil_div(n, kBlock * kFloats); }  // one piece a thread

// Threads enough for one piece each of a row of n values: whole warps, at most `most`.
inline int64_t threads_for_row(int64_t n, int64_t most) {
  const int64_t threads = ceil_div(n, kFloats);
  return threads < most ? ceil_div(threads, kWarp) * kWarp : most;
}

}  // namespace gpt2::cuda
