// bfloat16: the upper half of a float. The same 8 bits of exponent, 7 of mantissa instead of 23: half the
// bytes, the same range, two to three decimal digits.
//
// A storage type. Arithmetic happens in float: a bf16 widens to one without loss, and a float rounds to the
// nearest bf16, ties to even, every NaN to 0x7fff as in CUDA. One type for both processors.
//
// since 06_bf16
#pragma once

#include <bit>
#include <cstdint>

#ifdef __CUDACC__
#include <cuda_bf16.h>
#define GPT2_HOST_DEVICE __host__ __device__
#else
#define GPT2_HOST_DEVICE
#endif

namespace gpt2 {

struct bf16 {
  uint16_t bits;

  bf16() = default;
  GPT2_HOST_DEVICE bf16(float value) : bits(rounded(value)) {}
  // Not left to the constructor: GCC makes vector instructions of this one, and none of a temporary's copy.
  GPT2_HOST_DEVICE bf16& operator=(float value) {
    bits = rounded(value);
    return *this;
  }
  GPT2_HOST_DEVICE operator float() const {
#ifdef __CUDA_ARCH__
    return __uint_as_float(uint32_t{bits} << 16);
#else
    return std::bit_cast<float>(uint32_t{bits} << 16);
#endif
  }

 private:
  GPT2_HOST_DEVICE static uint16_t rounded(float value) {
#ifdef __CUDA_ARCH__
    return __bfloat16_as_ushort(__float2bfloat16_rn(value));
#else
    // All in 32-bit integers: loops over this become vector instructions.
    const auto wide = std::bit_cast<uint32_t>(value);
    const uint32_t nearest = (wide + 0x7fff + (wide >> 16 & 1)) >> 16;
    const bool is_nan = (wide & 0x7fffffff) > 0x7f800000;
    return uint16_t(is_nan ? 0x7fff : nearest);
#endif
  }
};

}  // namespace gpt2
