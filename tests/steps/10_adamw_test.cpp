#include "tests/common/golden.h"
#include "tests/steps/program.h"

using namespace gpt2::testing;

TEST(AdamW, LearningRateAndNormAreLogged) {
  const Outcome outcome = run_program("10_adamw", "--steps 20 --max-lr 1e-3 --warmup 4");
  const auto steps = outcome.events("step");
  ASSERT_EQ(steps.size(), 20u);
  EXPECT_DOUBLE_EQ(steps[0].at("lr"), 2.5e-4);
  EXPECT_DOUBLE_EQ(steps[3].at("lr"), 1e-3);
  EXPECT_DOUBLE_EQ(steps[4].at("lr"), 1e-3);
  EXPECT_DOUBLE_EQ(steps[12].at("lr"), 5.5e-4);  // half way down to a tenth
  for (const auto& step : steps) EXPECT_GT(step.at("norm").get<double>(), 0);
  EXPECT_NE(outcome.output.find("step    3 | loss: "), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find(" | lr 1.0000e-03 | norm: "), std::string::npos) << outcome.output;
}

// tests/golden/schedule.py: the video's get_lr.
TEST(AdamW, TheLearningRateIsTheVideos) {
  const auto golden = golden_json("schedule.json");
  const auto steps = run_program("10_adamw", "--steps 50 --batch 1 --seq 8").events("step");
  ASSERT_EQ(steps.size(), 50u);
  size_t compared = 0;
  for (size_t i = 0; i < golden.at("step").size(); ++i) {
    const size_t step = golden.at("step")[i];
    if (step >= steps.size()) continue;
    const double expected = golden.at("lr")[i];
    EXPECT_LE(std::abs(steps[step].at("lr").get<double>() / expected - 1), 1e-6) << step;
    ++compared;
  }
  EXPECT_GE(compared, 6u);
}

TEST(AdamW, TheLearningRateNeverRisesAfterTheWarmUp) {
  const auto steps = run_program("10_adamw", "--steps 12 --warmup 3 --batch 1 --seq 8").events("step");
  for (size_t i = 3; i < steps.size(); ++i) EXPECT_LE(steps[i].at("lr"), steps[i - 1].at("lr")) << i;
  const auto cold = run_program("10_adamw", "--steps 2 --warmup 0 --batch 1 --seq 8").events("step");
  EXPECT_DOUBLE_EQ(cold.at(0).at("lr"), 6e-4);
}

TEST(AdamW, MatricesOfGpt2DecayAndVectorsDoNot) {
  const Outcome outcome = run_program("10_adamw", "--model gpt2 --batch 1 --seq 8 --steps 1");
  EXPECT_NE(outcome.output.find("decayed tensors: 50, with 124354560 parameters"), std::string::npos)
      << outcome.output;
  EXPECT_NE(outcome.output.find("non-decayed tensors: 98, with 121344 parameters"), std::string::npos);
}

// A gradient that is never longer than the limit is never clipped; one that always is moves the weights less at first.
TEST(AdamW, ClippingChangesTheRunOnlyBelowTheNorm) {
  const auto free = run_program("10_adamw", "--steps 8 --grad-clip 0").losses();
  EXPECT_EQ(run_program("10_adamw", "--steps 8 --grad-clip 1000").losses(), free);
  EXPECT_NE(run_program("10_adamw", "--steps 8 --grad-clip 0.1").losses(), free);
}

TEST(AdamW, BadInputIsOneLine) {
  expect_error("10_adamw", "--max-lr 2", "--max-lr");
  expect_error("10_adamw", "--min-lr -1", "--min-lr");
  expect_error("10_adamw", "--min-lr 1e-3", "--min-lr 0.001: above --max-lr 0.0006");
  expect_error("10_adamw", "--weight-decay nan", "--weight-decay");
}
