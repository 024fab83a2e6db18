// Stochastic rounding from float to bf16 (Gupta et al. 2015, "Deep learning with limited numerical precision"): a value
// between two neighbouring bf16 numbers becomes either of them, the nearer one with the higher probability, so that
// the mean of many roundings is the value itself. Rounding to nearest would lose every update that is smaller than half
// the distance between neighbours, 1/256 of the weight.
//
// The random bits are not stored: they come from Philox, with the seed as the key and (index / 4, a constant, step) as
// the counter. So the CPU, the GPU, and any number of ranks round alike.
//
// since 15_bf16_weights
#pragma once

#include "common/kernels/philox.h"
#include "common/tensor/bf16.h"

namespace gpt2 {

// The random words of indices i to i + 3; i is a multiple of 4. Dropout counts with the numbers of its sites where this
// constant stands, so the two never use the same words. The words repeat after 2^34 values.
GPT2_HOST_DEVICE inline PhiloxWords rounding_words(uint64_t seed, int64_t step, int64_t i) {
  constexpr uint32_t kRounding = 0xffffffff;
  return philox({uint32_t(i / 4), kRounding, uint32_t(step), uint32_t(uint64_t(step) >> 32)}, seed);
}

// The bf16 number next to x towards zero or away from zero. The probability of the latter is the part of the way that x
// lies beyond the former: its lower 16 bits, divided by 2^16. Exact values, infinities and NaNs stay what they are.
GPT2_HOST_DEVICE inline bf16 stochastically_rounded(float x, uint32_t random) {
#ifdef __CUDA_ARCH__
  const uint32_t bits = __float_as_uint(x);
#else
  const auto bits = std::bit_cast<uint32_t>(x);
#endif
  const bool is_finite = (bits & 0x7f800000) != 0x7f800000;
  bf16 result;
  result.bits = uint16_t((bits + (random & 0xffff)) >> 16);
  const bf16 nearest = x;
  if (!is_finite) result.bits = nearest.bits;
  return result;
}

}  // namespace gpt2
