#include "common/kernels/stochastic_rounding.h"

#include <array>
#include <cmath>

#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

uint32_t word_at(int64_t step, int64_t i) {
  const PhiloxWords words = rounding_words(1337, step, i / 4 * 4);
  return std::array{words.a, words.b, words.c, words.d}[size_t(i % 4)];
}

// The bf16 number next to x towards zero, and the one next to that away from zero.
float below(float x) { return std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0xffff0000); }
float above(float x) { return std::bit_cast<float>((std::bit_cast<uint32_t>(x) & 0xffff0000) + 0x10000); }

// The mean of n roundings of x has the standard deviation sigma = (distance of the neighbours) * sqrt(p (1 - p) / n).
TEST(StochasticRounding, HasNoBiasAndGivesNeighboursOnly) {
  constexpr int64_t kRoundings = 10000;
  for (const float x : {1.001f, -0.3f, 3.14159f, 1e-20f, -7e30f, 0.999f, 1e-40f, 255.99f}) {
    double sum = 0;
    for (int64_t i = 0; i < kRoundings; ++i) {
      const float rounded = stochastically_rounded(x, word_at(1 + i / 100, i));
      ASSERT_TRUE(rounded == below(x) || rounded == above(x)) << x << " became " << rounded;
      sum += double(rounded);
    }
    const double distance = double(above(x)) - double(below(x)),
                 p = (double(x) - double(below(x))) / distance;
    const double sigma = std::abs(distance) * std::sqrt(p * (1 - p) / double(kRoundings));
    EXPECT_LE(std::abs(sum / double(kRoundings) - double(x)), 3 * sigma) << x;
  }
}

// Rounding to nearest would lose updates of less than half the distance between neighbours; these add up.
TEST(StochasticRounding, SmallUpdatesAddUp) {
  bf16 nearest = 1, stochastic = 1;
  constexpr int kSteps = 4096;
  constexpr float kUpdate = 1.0f / 4096;  // 1/32 of the distance from 1 to the next bf16 number
  for (int step = 1; step <= kSteps; ++step) {
    nearest = nearest + kUpdate;
    stochastic = stochastically_rounded(stochastic + kUpdate, word_at(step, 0));
  }
  EXPECT_EQ(float(nearest), 1);
  EXPECT_NEAR(float(stochastic), 2, 0.15);
}

TEST(StochasticRounding, KeepsWhatIsExactOrNotFinite) {
  for (const uint32_t random : {0u, 0x7fffu, 0xffffu, 0xffffffffu}) {
    for (const float x : {0.0f, -0.0f, 1.0f, -2.5f, INFINITY, -INFINITY}) {
      EXPECT_EQ(std::bit_cast<uint32_t>(float(stochastically_rounded(x, random))),
                std::bit_cast<uint32_t>(x));
    }
    EXPECT_EQ(stochastically_rounded(NAN, random).bits, 0x7fff);
    EXPECT_EQ(stochastically_rounded(std::bit_cast<float>(0x7f800001u), random).bits, 0x7fff);
  }
}

// All 16 bits of the way decide: with them at their largest, only an exact value is not rounded away from zero.
TEST(StochasticRounding, RoundsAwayFromZeroIfTheRandomBitsReachTheRest) {
  const float x = std::bit_cast<float>(0x3f800001u);
  EXPECT_EQ(float(stochastically_rounded(x, 0xfffe)), 1);
  EXPECT_EQ(float(stochastically_rounded(x, 0xffff)), above(x));
}

}  // namespace
}  // namespace gpt2::testing
