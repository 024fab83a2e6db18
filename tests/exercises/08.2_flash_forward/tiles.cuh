// Sizes of the kernel, and the copy of a tile to shared memory.
#pragma once

#include "common/kernels/cuda/gpu.cuh"

constexpr int kChannels = 48;
constexpr int kQueries = 64;  // threads in a block
constexpr int kKeys = 32;     // in a tile
constexpr int kTileSize = kKeys * kChannels;

// Rows first ... first + kKeys - 1 of `from` (T, kChannels), as far as there are any, to `to`: a row has kChannels values there, too.
// All threads of the block must call it. It has no barrier, neither before nor behind. `to` is 16-byte aligned.
__device__ inline void load_tile(float* to, const float* from, int64_t first, int64_t T) {
  constexpr int N = gpt2::cuda::Packed<float>::size;  // 4 values in 16 bytes
  const int64_t n = (T - first < kKeys ? T - first : kKeys) * kChannels;
  for (int64_t i = threadIdx.x * N; i < n; i += kQueries * N) {
    gpt2::cuda::store_packed(to + i, gpt2::cuda::load_packed(from + first * kChannels + i));
  }
}
