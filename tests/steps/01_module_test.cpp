#include "tests/steps/program.h"

using namespace gpt2::testing;

TEST(Module, Gpt2HasThePublishedNumberOfParameters) {
  const Outcome outcome = run_program("01_module", "--model gpt2 --batch 1 --seq 8");
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto config = outcome.events("config").at(0);
  EXPECT_EQ(config.at("tensors"), 149);
  EXPECT_EQ(config.at("parameters"), 163'037'184);
  EXPECT_NE(outcome.output.find("without lm_head.weight 148 tensors, 124439808 parameters"),
            std::string::npos);
  EXPECT_NE(outcome.output.find("transformer.h.11.attn.c_attn.weight      (2304, 768)"), std::string::npos);
}

TEST(Module, ForwardGivesFiniteLogitsForEveryPosition) {
  const Outcome outcome = run_program("01_module", "--batch 3 --seq 65");
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const auto done = outcome.events("done").at(0);
  EXPECT_EQ(done.at("logits"), (std::vector<int>{3, 65, 257}));
  EXPECT_GE(done.at("std"), 0.1);  // false on NaN
  EXPECT_LE(done.at("std"), 2);
}

TEST(Module, TheSeedDecidesTheWeights) {
  const auto mean = [](const std::string& flags) {
    return run_program("01_module", flags).events("done").at(0).at("mean").get<double>();
  };
  EXPECT_EQ(mean("--seed 7"), mean("--seed 7"));
  EXPECT_NE(mean("--seed 7"), mean("--seed 8"));
}

TEST(Module, BadFlagsAreOneLine) {
  expect_error("01_module", "--colour red", "--colour");
  expect_error("01_module", "--batch 0", "--batch");
  expect_error("01_module", "--seq many", "--seq");
  expect_error("01_module", "--seq 257", "--seq 257 is longer than the model's block size 256");
  expect_error("01_module", "--model huge", "--model huge: no such folder; expected tiny, gpt2");
  expect_error("01_module", "--model data/fixtures/tiny-gpt2",
               "a folder; from 02_hf_weights on, its weights are");
  expect_error("01_module", "--data nowhere.txt", "nowhere.txt");
  expect_error("01_module", "--device tpu", "--device tpu: expected auto, cpu, cuda or cuda:N");
  expect_error("01_module", "--device cuda:99", "--device cuda:99");
  expect_error("01_module", "--data /dev/null", "/dev/null");
  expect_error("01_module", "--tokenizer nowhere", "nowhere");
  expect_error("01_module", "--batch 4000000000000 --seq 256", "--batch");
}
