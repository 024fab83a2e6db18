// The exponential and the logistic function for use in loops: branch-free and inline, so that the compiler
// can vectorise the loop. libm's expf needs one call per value and is ten times slower.
//
// vector_exp is within 1.1 units in the last place of the true value for every float; exp(-inf) is 0,
// overflow gives inf, NaN stays NaN (tests/common/kernels/vector_math_test.cpp).
//
// since 01_module
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace gpt2::cpu {

// 2^n for n in [-126, 127], computed by setting the exponent field.
inline float power_of_two(uint32_t n) { return std::bit_cast<float>((n + 127) << 23); }

// exp(x) = 2^n exp(r) with n = round(x / ln 2) and |r| <= ln(2) / 2. For such r the error of the Taylor
// polynomial of degree 7 is below 6e-9.
inline float vector_exp(float x) {
  constexpr float kLog2E = 1.44269504f;
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;  // n * high is exact: 8 bits by 9
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, in the low bits
  constexpr float kLargest = 104.0f;     // beyond it the result is 0 or inf

  // Clamped by magnitude, because GCC may turn two separate bounds into branches. A NaN stays NaN.
  const float magnitude = std::fabs(x) > kLargest ? kLargest : std::fabs(x);
  x = std::copysign(magnitude, x);
  const float shifted = x * kLog2E + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;

  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * (r * r) + r + 1.0f;

  // 2^n is split into two factors, because n ranges from -150 to 150; only the last product rounds.
  const uint32_t exponent = std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kRound);
  const uint32_t half = static_cast<uint32_t>(static_cast<int32_t>(exponent) >> 1);
  return p * power_of_two(half) * power_of_two(exponent - half);
}

// 2^x, as accurate as vector_exp, with half the instructions. Results below 2^-126 are 0; from 2^127.5 on
// they are inf.
inline float vector_exp2(float x) {
  constexpr float kRound = 12582912.0f;
  constexpr float kSmallest = -126.0f, kLargest = 128.0f;  // beyond them the result is 0 or inf
  const float bounded = kLargest < x ? kLargest : x;       // a NaN stays NaN
  const float shifted = bounded + kRound;
  const float r = bounded - (shifted - kRound);  // exact; |r| <= 1/2

  // The Taylor polynomial of degree 7 for 2^r, with coefficients ln(2)^i / i!; its error is below 6e-9.
  float p = 1.52527338e-5f;
  p = p * r + 1.54035304e-4f;
  p = p * r + 1.33335581e-3f;
  p = p * r + 9.61812911e-3f;
  p = p * r + 5.55041087e-2f;
  p = p * r + 2.40226507e-1f;
  p = p * r + 6.93147181e-1f;
  p = p * r + 1.0f;
  const uint32_t n = std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kRound);
  const float scaled = p * power_of_two(n);
  return bounded < kSmallest ? 0.0f : scaled;
}

// 1 / (1 + exp(-x)), and 1 minus it without cancellation. exp(-|x|) cannot overflow.
struct Logistic {
  float value, complement;
};

inline Logistic logistic(float x) {
  const float e = vector_exp(-std::fabs(x));
  const float larger = 1.0f / (1.0f + e), smaller = e * larger;
  return {x < 0 ? smaller : larger, x < 0 ? larger : smaller};
}

}  // namespace gpt2::cpu
