#include "common/base/finite.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "common/base/error.h"

namespace gpt2 {
namespace {

// Whether all are finite, without a branch in the loop, so that it is vectorised.
bool all_finite(std::span<const float> values) {
  constexpr uint32_t kInfinity = 0x7f800000;  // the smallest non-finite magnitude
  uint32_t largest = 0;
  for (const float value : values) largest = std::max(largest, std::bit_cast<uint32_t>(value) & 0x7fffffffu);
  return largest < kInfinity;
}

}  // namespace

int64_t first_not_finite(std::span<const float> values) {
  if (all_finite(values)) return -1;
  const auto found =
      std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  return found - values.begin();
}

float without_nan_sign(float value) { return std::isnan(value) ? std::fabs(value) : value; }

void require_finite(std::span<const float> values, const std::string& name) {
  const int64_t at = first_not_finite(values);
  if (at >= 0) fail("{}: value {} is {}", name, at, without_nan_sign(values[size_t(at)]));
}

}  // namespace gpt2
