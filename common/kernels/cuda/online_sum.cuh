// Largest value and sum of exponentials in one pass over the data (Milakov & Gimelshein 2018, algorithm 3):
// when a larger value comes, what has been summed so far is scaled down to it.
//
// since 01_module
#pragma once

#include <cfloat>

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {

struct OnlineSum {
  float largest = -FLT_MAX;  // not -inf: -inf - -inf would be NaN in rows that begin masked
  float sum = 0;             // of exp(value - largest)

  template <int N>
  __device__ void add(const Piece<N>& piece) {
    const float before = largest;
    for (const float value : piece.values) largest = fmaxf(largest, value);
    sum *= exp_below(before);
    for (const float value : piece.values) sum += exp_below(value);
  }

  // Of all lanes of the warp together, which all come here and all get the result.
  __device__ OnlineSum of_warp() const {
    OnlineSum warp;
    warp.largest = warp_max(largest);
    warp.sum = warp_sum(sum * expf(largest - warp.largest));
    return warp;
  }

  // Of all threads of the block together, which all come here and all get the result.
  __device__ OnlineSum of_block() const {
    OnlineSum block;
    block.largest = block_max(largest);
    block.sum = block_sum(sum * expf(largest - block.largest));
    return block;
  }

 private:
  // exp(value - largest) in two thirds of expf's instructions: at 2 bytes a value, memory does not wait for
  // more.
  __device__ float exp_below(float value) const {
    constexpr float kLog2E = 1.44269504f;
    return exp2f((value - largest) * kLog2E);
  }
};

}  // namespace gpt2::cuda
