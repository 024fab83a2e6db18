// Reading and writing in pieces of up to 16 bytes, for rows of any type, start and length.
//
// Memory reaches its full speed only if each thread moves 16 bytes at a time, at 16-byte aligned addresses.
// But tensors may be views that begin anywhere, and of rows with 50257 floats only one in four is aligned. So
// every kernel reads and writes through load_piece and store_piece: one instruction for a whole, aligned
// piece, otherwise value by value. A kernel needs only one version, and only unaligned rows are slower.
//
// A thread computes with a Piece, which is floats in registers. It loads Values, which may be bf16 and are
// converted only when they are used: if a load were converted at once, the thread would wait for it before it
// starts the next.
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

// The number of values per thread in a kernel that reads and writes these types: 16 bytes of the widest type.
// For bf16 alone this is 8. For bf16 together with float it is 4, that is 16 bytes of float and 8 bytes of
// bf16, so that every instruction of a warp covers whole cache lines.
template <class... T>
inline constexpr int kPiece = 16 / int(std::max({sizeof(T)...}));
inline constexpr int kFloats = kPiece<float>;

inline constexpr int kBlock = 256;           // default number of threads in a block
inline constexpr int64_t kMaxGridY = 65535;  // CUDA's limit on blocks in y and z

// The built-in type of 8 or 16 bytes that nvcc moves in one instruction.
template <int bytes>
using Words = std::conditional_t<bytes == 16, int4, int2>;

// N values in their memory format; operator[] converts to float.
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

// Loads N values from `from`: 8 or 16 bytes, aligned to their size.
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

// Converts a Piece to the memory format. Two bf16 are rounded in one instruction.
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

// Writes a whole, aligned piece. __stcg is always one instruction (nvcc 13 sometimes compiles an assignment into
// four), and it leaves the first-level cache to the data that is read.
template <class T, int N>
__device__ void store_whole_piece(T* to, const Piece<N>& piece) {
  using Bits = Words<N * sizeof(T)>;
  const Values<T, N> result = rounded<T>(piece);
  Bits bits;
  memcpy(&bits, &result, sizeof bits);
  __stcg(reinterpret_cast<Bits*>(to), bits);
}

// Writes the values that lie inside the row.
template <class T, int N>
__device__ void store_piece(T* row, int64_t first, int64_t n, const Piece<N>& piece) {
  if (is_whole<N>(row, first, n)) return store_whole_piece(row + first, piece);
  for (int k = 0; k < N; ++k) {
    const int64_t i = first + k;
    if (0 <= i && i < n) row[i] = piece[k];
  }
}

// The index, 0 to -(N - 1), at which the aligned piece of N values that contains row[0] begins. If threads
// count from this index, all pieces of a row are whole, except at its two ends.
template <int N, class T>
__device__ int64_t first_aligned(const T* row) {
  return -int64_t(reinterpret_cast<uintptr_t>(row) % (N * sizeof(T)) / sizeof(T));
}

// The index of the first value of this thread's piece, in kernels where each thread has one piece.
template <int N>
__device__ int64_t first_of_thread() {
  return (blockIdx.x * int64_t{blockDim.x} + threadIdx.x) * N;
}

template <int N>
int64_t blocks_for(int64_t n) {  // one piece per thread
  return ceil_div(n, kBlock * N);
}

// The number of threads for a row of n values, one piece per thread: whole warps, at most `most`.
template <int N>
int64_t threads_for_row(int64_t n, int64_t most) {
  const int64_t threads = ceil_div(n, N);
  return threads < most ? ceil_div(threads, kWarp) * kWarp : most;
}

}  // namespace gpt2::cuda
