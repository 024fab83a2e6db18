// Stands in for the CUDA Toolkit's header of this name: bfloat16, the upper half of a float.
//
// Arithmetic in bf16 is left out on purpose: kernels convert to float, compute there and round once.
//
// since 06_bf16
#pragma once

#include <bit>
#include <cstdint>

#include "tests/executor/language.h"

struct __nv_bfloat16 {
  uint16_t bits;

  __nv_bfloat16() = default;
  __nv_bfloat16(float value) : bits(rounded(value)) {}
  operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }

 private:
  // To nearest, ties to even; every NaN becomes 0x7fff, as in the toolkit.
  static uint16_t rounded(float value) {
    if (value != value) return 0x7fff;
    const auto wide = std::bit_cast<uint32_t>(value);
    const uint32_t odd = wide >> 16 & 1;
    return uint16_t((wide + 0x7fff + odd) >> 16);
  }
};

void operator+(__nv_bfloat16, __nv_bfloat16) = delete;
void operator-(__nv_bfloat16, __nv_bfloat16) = delete;
void operator*(__nv_bfloat16, __nv_bfloat16) = delete;
void operator/(__nv_bfloat16, __nv_bfloat16) = delete;

struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};

inline __nv_bfloat16 __float2bfloat16(float value) { return value; }
inline __nv_bfloat16 __float2bfloat16_rn(float value) { return value; }
inline float __bfloat162float(__nv_bfloat16 value) { return value; }
inline float2 __bfloat1622float2(__nv_bfloat162 pair) { return {pair.x, pair.y}; }
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) { return {x, y}; }
