// The CPU kernels' own exp and logistic function, over all magnitudes of float.
#include "common/kernels/cpu/vector_math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace gpt2::cpu {
namespace {

constexpr uint32_t kStride = 1021;  // prime: four million floats of every exponent, both signs, inf and NaN

// |actual - expected| in units of the last place that a float of expected's size has.
double error_in_ulp(float actual, double expected) {
  if (actual == static_cast<float>(expected)) return 0;  // both inf, too
  if (std::isinf(static_cast<float>(expected))) return INFINITY;
  const int exponent = expected == 0 ? -149 : std::max(-149, std::ilogb(expected) - 23);
  return std::abs(actual - expected) / std::ldexp(1.0, exponent);
}

template <class Check>
void for_floats_of_every_exponent(const Check& check) {
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += kStride) {
    check(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  }
}

TEST(VectorExp, IsWithinTwoUlpForFloatsOfEveryExponent) {
  double worst = 0;
  int64_t nans = 0, nans_lost = 0;
  for_floats_of_every_exponent([&](float x) {
    const float y = vector_exp(x);
    if (std::isnan(x)) {
      ++nans;
      nans_lost += !std::isnan(y);
    } else {
      const double error = error_in_ulp(y, std::exp(double(x)));
      if (!(error <= worst)) worst = error;
    }
  });
  EXPECT_LE(worst, 1.1);
  EXPECT_GT(nans, 1000);
  EXPECT_EQ(nans_lost, 0);
}

TEST(VectorExp, IsWithinTwoUlpAllTheWayFromZeroToInfinity) {
  double worst = 0;
  for (double x = -104; x < 89; x += 1.0 / 8192) {
    const double error = error_in_ulp(vector_exp(float(x)), std::exp(double(float(x))));
    if (!(error <= worst)) worst = error;
  }
  EXPECT_LE(worst, 1.1);
}

TEST(VectorExp, IsExactAtTheEnds) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(vector_exp(0.0f), 1);
  EXPECT_EQ(vector_exp(-0.0f), 1);
  EXPECT_EQ(vector_exp(-kInf), 0);
  EXPECT_EQ(vector_exp(kInf), kInf);
  EXPECT_EQ(vector_exp(std::numeric_limits<float>::lowest()), 0);
  EXPECT_EQ(vector_exp(std::numeric_limits<float>::max()), kInf);
  EXPECT_EQ(vector_exp(-104.0f), 0);
  EXPECT_EQ(vector_exp(88.8f), kInf);
  EXPECT_GT(vector_exp(-103.0f), 0);  // subnormal
  EXPECT_LT(vector_exp(88.7f), kInf);
}

TEST(VectorExp2, IsWithinTwoUlpOfEveryNormalResult) {
  double worst = 0;
  for (double x = -126; x < 127; x += 1.0 / 8192) {
    const double error = error_in_ulp(vector_exp2(float(x)), std::exp2(double(float(x))));
    if (!(error <= worst)) worst = error;
  }
  EXPECT_LE(worst, 1.1);
}

TEST(VectorExp2, IsExactAtTheEnds) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (int n = -126; n < 128; ++n) EXPECT_EQ(vector_exp2(float(n)), std::ldexp(1.0f, n));
  EXPECT_EQ(vector_exp2(-kInf), 0);
  EXPECT_EQ(vector_exp2(std::numeric_limits<float>::lowest()), 0);
  EXPECT_EQ(vector_exp2(-126.1f), 0);
  EXPECT_EQ(vector_exp2(128.0f), kInf);
  EXPECT_EQ(vector_exp2(std::numeric_limits<float>::max()), kInf);
  EXPECT_EQ(vector_exp2(kInf), kInf);
  EXPECT_TRUE(std::isnan(vector_exp2(NAN)));
}

TEST(Logistic, AndItsComplementAreRelativelyAccurateEverywhere) {
  double worst = 0;
  for (double x = -80; x < 80; x += 1.0 / 1024) {
    const Logistic s = logistic(float(x));
    worst = std::max({worst, error_in_ulp(s.value, 1 / (1 + std::exp(-double(float(x))))),
                      error_in_ulp(s.complement, 1 / (1 + std::exp(double(float(x)))))});
  }
  EXPECT_LE(worst, 4);
  EXPECT_EQ(logistic(-INFINITY).value, 0);
  EXPECT_EQ(logistic(-INFINITY).complement, 1);
  EXPECT_EQ(logistic(INFINITY).value, 1);
  EXPECT_EQ(logistic(INFINITY).complement, 0);
  EXPECT_TRUE(std::isnan(logistic(NAN).value));
}

}  // namespace
}  // namespace gpt2::cpu
