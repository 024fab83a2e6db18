#include "common/base/finite.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/common/files.h"

namespace gpt2 {
namespace {

TEST(Finite, FindsOneBadValueAnywhere) {
  constexpr float kLargest = std::numeric_limits<float>::max(),
                  kSmallest = std::numeric_limits<float>::denorm_min();
  std::vector<float> values(1000, kLargest);
  for (size_t i = 0; i < values.size(); i += 3) values[i] = i % 2 == 0 ? -kLargest : kSmallest;
  EXPECT_EQ(first_not_finite(values), -1);
  EXPECT_EQ(first_not_finite({}), -1);
  for (const float bad : {NAN, -NAN, INFINITY, -INFINITY}) {
    for (const size_t at : {0, 1, 500, 999}) {
      const float good = std::exchange(values[at], bad);
      EXPECT_EQ(first_not_finite(values), int64_t(at)) << bad;
      EXPECT_ERROR(require_finite(values, "ln_f.bias"), "ln_f.bias: value " + std::to_string(at) + " is ");
      values[at] = good;
    }
  }
}

}  // namespace
}  // namespace gpt2
