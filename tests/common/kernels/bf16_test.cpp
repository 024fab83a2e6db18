// The type itself, on the host and in the kernels that convert it.
#include "common/tensor/bf16.h"

#include "common/kernels/copy.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

constexpr uint32_t kPatterns = 1 << 16;

bf16 of_bits(uint32_t bits) { return std::bit_cast<bf16>(uint16_t(bits)); }

// Sign, exponent and mantissa, put together in double; inf and NaN by their exponent.
double decoded(uint32_t bits) {
  const int exponent = bits >> 7 & 0xff, mantissa = bits & 0x7f;
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == 255) return mantissa ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(mantissa, -133);
  return sign * std::ldexp(128 + mantissa, exponent - 134);
}

// x to the nearest multiple of a unit in the last place, ties to even as nearbyint has them.
double nearest_in_double(float x) {
  if (x == 0 || !std::isfinite(x)) return double(x);
  const double unit = std::ldexp(1.0, std::max(std::ilogb(x), -126) - 7);
  const double nearest = std::nearbyint(double(x) / unit) * unit;
  return std::abs(nearest) >= std::ldexp(1.0, 128) ? std::copysign(INFINITY, nearest) : nearest;
}

// Every 4093rd float, NaNs, both infinities and subnormals among them, and all that lie half-way between two bf16,
// with their neighbours.
std::vector<float> hard_floats() {
  std::vector<float> floats;
  for (uint64_t bits = 0; bits < (uint64_t{1} << 32); bits += 4093) {
    floats.push_back(std::bit_cast<float>(uint32_t(bits)));
  }
  for (uint32_t upper = 0; upper < kPatterns; ++upper) {
    for (const uint32_t lower : {0x7fffu, 0x8000u, 0x8001u}) {
      floats.push_back(std::bit_cast<float>(upper << 16 | lower));
    }
  }
  return floats;
}

int64_t wrongly_rounded(const std::vector<float>& floats, const std::vector<bf16>& rounded) {
  int64_t wrong = 0;
  for (size_t i = 0; i < floats.size(); ++i) {
    const double expected = nearest_in_double(floats[i]), actual = decoded(rounded[i].bits);
    const bool right = std::isnan(expected)
                           ? rounded[i].bits == 0x7fff
                           : actual == expected && std::signbit(actual) == std::signbit(expected);
    wrong += !right;
  }
  return wrong;
}

TEST(Bf16, EveryPatternWidensToItsValueAndBack) {
  for (uint32_t bits = 0; bits < kPatterns; ++bits) {
    const float value = of_bits(bits);
    if (std::isnan(decoded(bits))) {
      ASSERT_TRUE(std::isnan(value)) << bits;
      ASSERT_EQ(bf16(value).bits, 0x7fff) << bits;
    } else {
      ASSERT_EQ(double(value), decoded(bits)) << bits;
      ASSERT_EQ(bf16(value).bits, bits);
    }
  }
}

TEST(Bf16, RoundsToNearestTiesToEven) {
  const std::vector<float> floats = hard_floats();
  EXPECT_GT(floats.size(), 1'000'000u);
  EXPECT_EQ(wrongly_rounded(floats, as<bf16>(floats)), 0);
}

TEST(Bf16, RoundsTheSameWhenAssigned) {
  const std::vector<float> floats = hard_floats();
  std::vector<bf16> assigned(floats.size());
  for (size_t i = 0; i < floats.size(); ++i) assigned[i] = floats[i];
  EXPECT_EQ(wrongly_rounded(floats, assigned), 0);
}

TEST(Bf16, OfSomeValues) {
  EXPECT_EQ(bf16(1.0f).bits, 0x3f80);
  EXPECT_EQ(bf16(-0.0f).bits, 0x8000);
  EXPECT_EQ(bf16(1.00390625f).bits, 0x3f80);  // half-way: 1 is even
  EXPECT_EQ(bf16(1.01171875f).bits, 0x3f82);  // half-way: up
  EXPECT_EQ(bf16(INFINITY).bits, 0x7f80);
  EXPECT_EQ(bf16(std::numeric_limits<float>::max()).bits, 0x7f80);  // nearer to 2^128
  EXPECT_EQ(bf16(std::numeric_limits<float>::denorm_min()).bits, 0);
  EXPECT_EQ(bf16(NAN).bits, 0x7fff);
  EXPECT_EQ(bf16(-NAN).bits, 0x7fff);
}

class Bf16Test : public OnEveryDevice {
 protected:
  template <class Y, class X>
  std::vector<Y> cast(const std::vector<X>& x) {
    const auto n = int64_t(x.size());
    DeviceArray<X> from(device(), x);
    DeviceArray<Y> to(device(), n);
    DISPATCH(device(), copy_strided, to.data(), from.data(), Dims4{1, 1, 1, n}, Dims4{n, n, n, 1},
             Dims4{n, n, n, 1});
    return to.to_host();
  }
};

TEST_P(Bf16Test, CastsOfTensorsRoundToNearestTiesToEven) {
  const std::vector<float> floats = hard_floats();
  EXPECT_EQ(wrongly_rounded(floats, cast<bf16>(floats)), 0);
}

TEST_P(Bf16Test, CastsOfTensorsWidenWithoutLoss) {
  std::vector<bf16> patterns;
  for (uint32_t bits = 0; bits < kPatterns; ++bits) patterns.push_back(of_bits(bits));
  const std::vector<float> wide = cast<float>(patterns);
  for (uint32_t bits = 0; bits < kPatterns; ++bits) {
    ASSERT_EQ(std::bit_cast<uint32_t>(wide[bits]), bits << 16);
  }
}

INSTANTIATE_ON_EVERY_DEVICE(Bf16Test);

}  // namespace
}  // namespace gpt2::testing
