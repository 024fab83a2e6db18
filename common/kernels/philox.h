// Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"): random
// bits without a state. Ten rounds of multiplication make 128 bits that look random out of a counter of 128
// bits and a key of 64. Whoever asks for the same counter gets the same bits: any thread, in any order, on
// either processor, as often as it likes.
//
// since 13_fineweb
#pragma once

#include "common/tensor/bf16.h"  // GPT2_HOST_DEVICE

namespace gpt2 {

// Four variables and no array: they stay in registers, and loops become vector instructions.
struct PhiloxWords {
  uint32_t a, b, c, d;
};

// The upper half of a product.
GPT2_HOST_DEVICE inline uint32_t multiply_high(uint32_t a, uint32_t b) {
#ifdef __CUDA_ARCH__
  return __umulhi(a, b);  // of the line below nvcc makes xors of 64 bits
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
    key0 += 0x9E3779B9;  // the golden ratio, and sqrt(3) - 1
    key1 += 0xBB67AE85;
  }
  return counter;
}

}  // namespace gpt2
