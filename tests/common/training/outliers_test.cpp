#include "common/training/outliers.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gpt2::training {
namespace {

// 128 values that alternate between 1 and 3: mean 2, standard deviation 1.
RecentValues alternating() {
  RecentValues values;
  for (int i = 0; i < 128; ++i) EXPECT_FALSE(values.z_score(i % 2 == 0 ? 1 : 3).has_value());
  return values;
}

TEST(Outliers, ZScoresAreThoseOfTheLast128Values) {
  RecentValues values = alternating();
  EXPECT_NEAR(*values.z_score(1), -1, 1e-12);  // replaces a 1
  // Replaces a 3: the sum grows by 7, the sum of squares by 91.
  const double mean = 2 + 7.0 / 128, variance = (128 * 5.0 + 91) / 128 - mean * mean;
  EXPECT_NEAR(*values.z_score(10), (10 - mean) / std::sqrt(variance), 1e-9);
  RecentValues constant;
  for (int i = 0; i < 128; ++i) constant.z_score(2);
  EXPECT_EQ(*constant.z_score(2), 0);
}

TEST(Outliers, StepsAreSkippedAboveALimitAndNotBelow) {
  Outliers never(0, 0), by_loss(3, 0), by_norm(0, 3);
  EXPECT_FALSE(never.watches());
  EXPECT_TRUE(by_loss.watches() && by_norm.watches());
  for (int i = 0; i < 128; ++i) {
    const double value = i % 2 == 0 ? 1 : 3;
    for (Outliers* outliers : {&never, &by_loss, &by_norm}) EXPECT_FALSE(outliers->skips(value, value));
  }
  EXPECT_FALSE(never.skips(100, 100));
  EXPECT_TRUE(by_loss.skips(100, 1));
  EXPECT_TRUE(by_norm.skips(1, 100));
  EXPECT_FALSE(by_loss.skips(-100, 1000));  // far below is no harm, and the norm has no limit
}

TEST(Outliers, WhatItRemembersIsRestored) {
  Outliers first(3, 3);
  for (int i = 0; i < 200; ++i) first.skips(i % 7, i % 5);
  Outliers second(3, 3);
  second.restore(first.recent());
  EXPECT_EQ(second.recent().losses.size(), 128u);
  for (int i = 200; i < 400; ++i) EXPECT_EQ(first.skips(i % 11, i % 13), second.skips(i % 11, i % 13)) << i;
  EXPECT_EQ(first.recent().losses, second.recent().losses);
  EXPECT_EQ(first.recent().norms, second.recent().norms);
}

}  // namespace
}  // namespace gpt2::training
