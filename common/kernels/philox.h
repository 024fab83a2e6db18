// Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"): random
// bits without a state. Ten rounds of multiplications turn a 128-bit counter and a 64-bit key into 128 random
// bits. The same counter and key give the same bits in every thread, in any order, on the CPU and on the GPU.
//
// since 13_fineweb
#pragma once

#include "common/tensor/bf16.h"  // GPT2_HOST_DEVICE

namespace gpt2 {

// Four variables instead of an array: they stay in registers, and the compiler can vectorise loops.
struct PhiloxWords {
  uint32_t a, b, c, d;
};

// The upper 32 bits of the 64-bit product.
GPT2_HOST_DEVICE inline uint32_t multiply_high(uint32_t a, uint32_t b) {
#ifdef __CUDA_ARCH__
  return __umulhi(a, b);  // for the line below, nvcc would use 64-bit xors
#else
  return uint32_t(uint64_t{a} * b >> 32);
#endif
}

GPT2_HOST_DEVICE inline PhiloxWords philox(PhiloxWords counter, uint64_t key) {
  constexpr uint32_t kFactor0 = 0xD2511F53, kFactor1 = 0xCD9E8D57;
  uint32_t key0 = uint32_t(key), key1 = uint32_t(key >> 32);
  for (int round = 0; round < 10; ++round) {
    counter = {multiply_high(kFactor1, counter.c) ^ counter.b ^ key0, kFactor1 * counter.c,
               multiply_high(kFactor0, counter.a) ^ counter.d ^ key1, kFactor0 * counter.a};
    key0 += 0x9E3779B9;  // digits of the golden ratio; below, of sqrt(3) - 1
    key1 += 0xBB67AE85;
  }
  return counter;
}

}  // namespace gpt2
