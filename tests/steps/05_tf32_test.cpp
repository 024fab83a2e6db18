#include "tests/steps/program.h"

using namespace gpt2::testing;

TEST(Tf32, HighestEqualsStep04ToTheBit) {
  const auto before = run_program("04_overfit", "--steps 20").losses();
  ASSERT_EQ(before.size(), 20u);
  EXPECT_EQ(run_program("05_tf32", "--steps 20 --matmul-precision highest").losses(), before);
}

TEST(Tf32, OnACpuHighIsHighest) {
  EXPECT_EQ(run_program("05_tf32", "--steps 10").losses(),
            run_program("05_tf32", "--steps 10 --matmul-precision highest").losses());
}

// Measured: they differ by 2e-4 at most.
TEST(Tf32, MediumStaysWithinBf16OfHighestOver50Steps) {
  const auto exact = run_program("05_tf32", "--matmul-precision highest").losses(),
             rounded = run_program("05_tf32", "--matmul-precision medium").losses();
  EXPECT_LE(largest_difference(rounded, exact), 1e-3);
  EXPECT_GE(largest_difference(rounded, exact), 1e-7);  // it does round
}

TEST(Tf32, TheDoneEventHasTheMedianAfterTheWarmUp) {
  const Outcome outcome = run_program("05_tf32", "--steps 8");
  std::vector<double> ms;
  for (const auto& step : outcome.events("step")) ms.push_back(step.at("ms"));
  ASSERT_EQ(ms.size(), 8u);
  std::sort(ms.begin() + 3, ms.end());
  const auto done = outcome.events("done").at(0);
  EXPECT_EQ(done.at("ms").get<double>(), ms[5]);  // of the five after three
  EXPECT_EQ(done.at("ms_spread").get<std::vector<double>>(), (std::vector<double>{ms[3], ms[7]}));
  EXPECT_NEAR(done.at("tokens_per_sec").get<double>(), 256 / (ms[5] / 1000), 1);
  EXPECT_GE(done.at("peak_bytes").get<double>(), 1e6);
  EXPECT_NE(outcome.output.find("median of 5 steps after 3 | dt: "), std::string::npos) << outcome.output;
}

TEST(Tf32, BadInputIsOneLine) {
  expect_error("05_tf32", "--matmul-precision tf32",
               "--matmul-precision: tf32 is not one of highest, high, medium");
  expect_error("05_tf32", "--dtype bf16", "--dtype");
}

TEST(Tf32, ABatchThatDoesNotFitIsRefusedBeforeItStarts) {
  const Outcome outcome = run_program("05_tf32", "--model gpt2 --batch 10000 --seq 256");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.error.find("--batch 10000 x --seq 256: a training step needs "), std::string::npos)
      << outcome.error;
  EXPECT_NE(outcome.error.find("the largest --batch that fits is "), std::string::npos) << outcome.error;
  EXPECT_TRUE(outcome.losses().empty());
}
