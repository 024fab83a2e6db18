#include "tests/steps/models.h"
#include "tests/steps/program.h"

// After gtest: a step says `using namespace gpt2`, which has a `testing` of its own.
#include "steps/06_bf16/gpt2.h"

using namespace gpt2::testing;

using Bf16 = OnEveryDevice;

TEST_P(Bf16, APassIsWithinBf16OfTheFloatOne) {
  nn::manual_seed(1337);
  GPT model({.block_size = 64, .vocab_size = 257, .n_layer = 2, .n_head = 2, .n_embd = 64});
  model.to(device());
  const auto [x, y] = batch_of_ids(2, 33, 257, device());
  const Pass exact = forward_backward(model, x, y);
  const Pass rounded = forward_backward(model, x, y, DType::bf16);
  EXPECT_LE(std::abs(rounded.loss / exact.loss - 1), 1e-3);
  expect_same_pass(rounded, exact, 3e-2, 3e-2);
  EXPECT_NE(rounded.logits, exact.logits);
}

INSTANTIATE_ON_EVERY_DEVICE(Bf16);

TEST(Bf16Program, Fp32IsStep05ToTheBit) {
  EXPECT_EQ(run_program("06_bf16", "--steps 10 --dtype fp32").losses(),
            run_program("05_tf32", "--steps 10").losses());
}

// Measured: they differ by 2e-4 at most.
TEST(Bf16Program, TheCurveStaysWithinBf16OfStep05sOver50Steps) {
  const auto exact = run_program("05_tf32", "").losses(), rounded = run_program("06_bf16", "").losses();
  EXPECT_LE(largest_difference(rounded, exact), 1e-3);
}

TEST(Bf16Program, TheSameRunGivesTheSameBits) {
  EXPECT_EQ(run_program("06_bf16", "--steps 10").losses(), run_program("06_bf16", "--steps 10").losses());
}

// oneDNN refuses bf16 below AVX-512, and so does its environment variable on a processor that has it.
TEST(Bf16Program, WorksWithoutAvx512AndSaysSo) {
  setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1);
  const Outcome without = run_program("06_bf16", "--steps 10");
  unsetenv("ONEDNN_MAX_CPU_ISA");
  EXPECT_NE(without.output.find("--dtype bf16: this processor has no instructions for it"),
            std::string::npos);
  EXPECT_LE(largest_difference(without.losses(), run_program("06_bf16", "--steps 10").losses()), 1e-3);
}

TEST(Bf16Program, CountPrintsKernelsAndBytes) {
  const Outcome outcome = run_program("06_bf16", "--steps 2 --count");
  EXPECT_NE(outcome.output.find("\nmatmul "), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("\nall "), std::string::npos);
}

TEST(Bf16Program, BadInputIsOneLine) {
  expect_error("06_bf16", "--dtype fp16", "--dtype: fp16 is not one of bf16, fp32");
}
