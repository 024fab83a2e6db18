// Largest value and sum of exponentials in one pass over the data (Milakov & Gimelshein 2018, algorithm 3): when
// a larger value comes, what has been summed so far is scaled down to it.
//
// since 01_module
#pragma once

#include <cfloat>

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {

struct OnlineSum {
  float largest = -FLT_MAX;  // not -inf: -inf - -inf would be NaN in rows that begin masked
  float sum = 0;             // of exp(value - largest)

  template <int pieces, int N>
  __device__ void add(const Piece<N> (&values)[pieces]) {
    const float before = largest;
    for (const Piece<N>& piece : values) {
      for (const float value : piece.values) largest = fmaxf(largest, value);
    }
    sum *= expf(before - largest);
    for (const Piece<N>& piece : values) {
      for (const float value : piece.values) sum += expf(value - largest);
    }
  }

  // Of all threads of the block together, which all come here and all get the result.
  __device__ OnlineSum of_block() const {
    OnlineSum block;
    block.largest = block_max(largest);
    block.sum = block_sum(sum * expf(largest - block.largest));
    return block;
  }
};

}  // namespace gpt2::cuda
