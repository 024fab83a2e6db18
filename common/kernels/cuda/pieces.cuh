// Reading and writing in pieces of up to 16 bytes, wherever a row begins and ends, whatever type it has.
//
// Memory moves at full speed only 16 bytes a thread at a time, from 16-byte aligned addresses. But tensors
// may be views that begin anywhere, and a row of 50257 floats is aligned in one row of four. So every kernel
// reads and writes through these two functions: one instruction where a piece is whole and aligned, value by
// value where it is not. A kernel has one version, and only ragged rows pay for being ragged.
//
// What a thread computes is a Piece, floats in registers. What it loads may be bf16, and stays as it came
// until it is used: a load that has to be taken apart at once is waited for before the next one starts.
//
// since 01_module; bf16 since 06_bf16
#pragma once

#include <algorithm>
#include <type_traits>

#include "common/kernels/cuda/gpu.cuh"
#include "common/tensor/bf16.h"

namespace gpt2::cuda {

template <int N>
struct alignas(16) Piece {
  float values[N];

  __device__ float& operator[](int k) { return values[k]; }
  __device__ const float& operator[](int k) const { return values[k]; }
};

// Values a thread owns in a kernel that reads and writes these types: 16 bytes of the widest. That is 8 bf16,
// but 4 beside floats: 16 bytes of float and 8 of bf16, so that every instruction of a warp covers whole
// lines.
template <class... T>
inline constexpr int kPiece = 16 / int(std::max({sizeof(T)...}));
inline constexpr int kFloats = kPiece<float>;

inline constexpr int kBlock = 256;           // threads in a block, where nothing asks for another number
inline constexpr int64_t kMaxGridY = 65535;  // CUDA's limit on blocks in y and z

// The built-in type of 8 or 16 bytes, which nvcc moves in one instruction.
template <int bytes>
using Words = std::conditional_t<bytes == 16, int4, int2>;

// N values as they lie in memory; a float when used.
template <class T, int N>
struct Values {
  static constexpr int kPerWord = 4 / sizeof(T);
  uint32_t words[N / kPerWord];

  __device__ float operator[](int k) const {
    const uint32_t word = words[k / kPerWord];
    if constexpr (std::is_same_v<T, float>) return __uint_as_float(word);
    return __uint_as_float(k % 2 == 0 ? word << 16 : word & 0xffff0000u);
  }
  __device__ operator Piece<N>() const {
    Piece<N> piece;
    for (int k = 0; k < N; ++k) piece[k] = (*this)[k];
    return piece;
  }
};

__device__ inline uint32_t bits_of(float value) { return __float_as_uint(value); }
__device__ inline uint32_t bits_of(bf16 value) { return value.bits; }

// N values at `from`, 8 or 16 bytes, aligned to their size.
template <int N, class T>
__device__ Values<T, N> load_whole(const T* from) {
  const auto bits = *reinterpret_cast<const Words<N * sizeof(T)>*>(from);
  Values<T, N> values;
  static_assert(sizeof bits == sizeof values);
  memcpy(&values, &bits, sizeof bits);
  return values;
}

template <class T, int N>
__device__ void store_whole(T* to, const Values<T, N>& values) {
  Words<N * sizeof(T)> bits;
  memcpy(&bits, &values, sizeof bits);
  *reinterpret_cast<Words<N * sizeof(T)>*>(to) = bits;
}

// As they will lie in memory. A pair of bf16 is rounded in one instruction.
template <class T, int N>
__device__ Values<T, N> rounded(const Piece<N>& piece) {
  Values<T, N> result;
  if constexpr (std::is_same_v<T, float>) {
    memcpy(&result, &piece, sizeof result);
  } else {
    for (int k = 0; k < N; k += 2) {
      const __nv_bfloat162 pair = __floats2bfloat162_rn(piece[k], piece[k + 1]);
      memcpy(&result.words[k / 2], &pair, sizeof pair);
    }
  }
  return result;
}

template <int N, class T>
__device__ bool is_whole(const T* row, int64_t first, int64_t n) {
  return first >= 0 && first + N <= n && reinterpret_cast<uintptr_t>(row + first) % (N * sizeof(T)) == 0;
}

// row[first] ... row[first + N - 1] of a row of n values; `outside` for indices below 0 and from n on.
template <int N, class T>
__device__ Values<T, N> load_piece(const T* row, int64_t first, int64_t n, float outside = 0) {
  if (is_whole<N>(row, first, n)) return load_whole<N>(row + first);
  Values<T, N> values{};
  for (int k = 0; k < N; ++k) {
    const int64_t i = first + k;
    const T value = 0 <= i && i < n ? row[i] : T(outside);
    values.words[k / values.kPerWord] |= bits_of(value) << k % values.kPerWord * 16;
  }
  return values;
}

// 16 bytes of T.
template <class T>
__device__ Values<T, kPiece<T>> load_piece(const T* row, int64_t first, int64_t n, float outside = 0) {
  return load_piece<kPiece<T>>(row, first, n, outside);
}

// Writes the values that lie inside the row. __stcg is one instruction, whatever the compiler knows about the
// pointer (nvcc 13 makes four of an assignment here and there), and leaves the first-level cache to what is
// read.
template <class T, int N>
__device__ void store_piece(T* row, int64_t first, int64_t n, const Piece<N>& piece) {
  if (is_whole<N>(row, first, n)) {
    using Bits = Words<N * sizeof(T)>;
    const Values<T, N> result = rounded<T>(piece);
    Bits bits;
    memcpy(&bits, &result, sizeof bits);
    __stcg(reinterpret_cast<Bits*>(row + first), bits);
    return;
  }
  for (int k = 0; k < N; ++k) {
    const int64_t i = first + k;
    if (0 <= i && i < n) row[i] = piece[k];
  }
}

// 0 to -(N - 1): where the aligned piece of N begins that holds row[0]. A thread that counts from here finds
// whole pieces in every row, except at its two ends.
template <int N, class T>
__device__ int64_t first_aligned(const T* row) {
  return -int64_t(reinterpret_cast<uintptr_t>(row) % (N * sizeof(T)) / sizeof(T));
}

// The index of the first value of this thread's piece, in kernels that give each thread one piece of n
// values.
template <int N>
__device__ int64_t first_of_thread() {
  return (blockIdx.x * int64_t{blockDim.x} + threadIdx.x) * N;
}

template <int N>
int64_t blocks_for(int64_t n) {  // one piece a thread
  return ceil_div(n, kBlock * N);
}

// Threads enough for one piece each of a row of n values: whole warps, at most `most`.
template <int N>
int64_t threads_for_row(int64_t n, int64_t most) {
  const int64_t threads = ceil_div(n, N);
  return threads < most ? ceil_div(threads, kWarp) * kWarp : most;
}

}  // namespace gpt2::cuda
