#include "common/optim/schedule.h"

#include <gtest/gtest.h>

#include "tests/common/golden.h"

namespace gpt2::optim {
namespace {

TEST(CosineSchedule, IsTheVideos) {
  const CosineSchedule lr{.max_lr = 6e-4, .min_lr = 6e-5, .warmup = 10, .max_steps = 50};
  const auto golden = testing::golden_json("schedule.json");
  ASSERT_GE(golden.at("lr").size(), 6u);
  for (size_t i = 0; i < golden.at("lr").size(); ++i) {
    const double expected = golden.at("lr")[i];
    EXPECT_LE(std::abs(lr(golden.at("step")[i]) / expected - 1), 1e-6) << golden.at("step")[i];
  }
}

TEST(CosineSchedule, NeverRisesAfterTheWarmUp) {
  const CosineSchedule lr{.max_lr = 1, .min_lr = 0.1, .warmup = 3, .max_steps = 20};
  for (int64_t step = 3; step < 25; ++step) EXPECT_LE(lr(step + 1), lr(step));
  EXPECT_EQ(lr(2), 1);
  EXPECT_EQ(lr(20), 0.1);
  EXPECT_EQ(lr(1000), 0.1);
}

TEST(CosineSchedule, WithoutWarmUpBeginsAtTheTop) {
  const CosineSchedule lr{.max_lr = 1, .min_lr = 0.1, .warmup = 0, .max_steps = 20};
  EXPECT_EQ(lr(0), 1);
}

}  // namespace
}  // namespace gpt2::optim
