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
  expect_error("10_adamw", "--cuda-graph --steps 3", "CUDA graphs need a GPU, not cpu");
  expect_error("10_adamw", "--max-lr 2", "--max-lr");
  expect_error("10_adamw", "--min-lr -1", "--min-lr");
  expect_error("10_adamw", "--weight-decay nan", "--weight-decay");
}
