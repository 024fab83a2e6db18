// bfloat16: the upper half of a float. It has the same 8 bits of exponent, and 7 bits of mantissa instead of
// 23: half the bytes, the same range, two to three decimal digits.
//
// It is a storage type; arithmetic is done in float. Conversion to float is exact. Conversion from float
// rounds to the nearest bf16, ties to even, and turns every NaN into 0x7fff as CUDA does. The CPU and the GPU
// use this one type.
//
// since 05_tf32 (--matmul-precision medium); tensors since 06_bf16
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
  // Written out because GCC vectorises this form but not a copy through a temporary.
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
    // Only 32-bit integers, so that the compiler can vectorise loops over this function.
    const auto wide = std::bit_cast<uint32_t>(value);
    const uint32_t nearest = (wide + 0x7fff + (wide >> 16 & 1)) >> 16;
    const bool is_nan = (wide & 0x7fffffff) > 0x7f800000;
    return uint16_t(is_nan ? 0x7fff : nearest);
#endif
  }
};

}  // namespace gpt2
