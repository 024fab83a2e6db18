// The largest value and the sum of exponentials in one pass over the data (Milakov & Gimelshein 2018,
// algorithm 3): when a larger value is found, the sum so far is rescaled to it.
//
// since 01_module
#pragma once

#include <cfloat>

#include "common/kernels/cuda/mma.cuh"
#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {

struct OnlineSum {
  float largest = -FLT_MAX;  // not -inf: -inf - -inf would be NaN in rows that begin with masked values
  float sum = 0;             // of exp(value - largest)

  template <int N>
  __device__ void add(const Piece<N>& piece) {
    const float before = largest;
    for (const float value : piece.values) largest = fmaxf(largest, value);
    sum *= exp_below(before);
    for (const float value : piece.values) sum += exp_below(value);
  }

  // The result for all lanes of the warp together. All lanes must call it, and all get the result.
  __device__ OnlineSum of_warp() const {
    OnlineSum warp;
    warp.largest = warp_max(largest);
    warp.sum = warp_sum(sum * expf(largest - warp.largest));
    return warp;
  }

  // The result for all threads of the block together. All threads must call it, and all get the result.
  __device__ OnlineSum of_block() const {
    OnlineSum block;
    block.largest = block_max(largest);
    block.sum = block_sum(sum * expf(largest - block.largest));
    return block;
  }

 private:
  // exp(value - largest) in three instructions; results below 2^-126 become 0. With 2 bytes per value, more
  // instructions would make the kernel slower than memory.
  __device__ float exp_below(float value) const {
    constexpr float kLog2E = 1.44269504f;
    return power_of_two((value - largest) * kLog2E);
  }
};

}  // namespace gpt2::cuda
