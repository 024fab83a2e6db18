#include "paths.h"
#include "tests/common/dist/launch.h"
#include "tests/steps/program.h"

using namespace gpt2::testing;

namespace {

const std::string kFlags = " --device cpu --dtype fp32 --steps 20";

// The losses of a run as that many ranks.
std::vector<double> losses_of(int ranks) {
  const TempDir folder;
  const std::string log = folder / "log.jsonl";
  const Ended ended = run_with_mpi(ranks, GPT2_BIN_DIR "/12_ddp --log " + log + kFlags);
  EXPECT_EQ(ended.status, 0) << ended.output;
  std::vector<double> losses;
  std::ifstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    const auto event = nlohmann::json::parse(line);
    if (event.at("event") == "step") losses.push_back(event.at("loss"));
  }
  return losses;
}

}  // namespace

TEST(Ddp, OneRankIsStep11) {
  EXPECT_EQ(run_program("12_ddp", "--steps 10").losses(),
            run_program("11_grad_accum", "--steps 10").losses());
}

TEST(Ddp, TheLossesDoNotDependOnTheNumberOfRanks) {
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  const std::vector<double> alone = run_program("12_ddp", kFlags).losses();
  ASSERT_EQ(alone.size(), 20u);
  for (const int ranks : {2, 3, 4}) EXPECT_LE(largest_difference(losses_of(ranks), alone), 1e-5) << ranks;
}

TEST(Ddp, OneRankSpeaks) {
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  const Ended ended = run_with_mpi(3, GPT2_BIN_DIR "/12_ddp --device cpu --steps 2");
  EXPECT_EQ(ended.count("step    1 | loss: "), 1) << ended.output;
}

TEST(Ddp, BadInputIsOneLine) {
  expect_error("12_ddp", "--total-batch 1000", "--total-batch 1000: not a multiple of the 256 tokens");
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  const Ended ended = run_with_mpi(2, GPT2_BIN_DIR "/12_ddp --device cpu --total-batch 768");
  EXPECT_EQ(ended.status, 1);
  EXPECT_GE(ended.count("12_ddp: --total-batch 768: not a multiple of the 512 tokens"), 1) << ended.output;
}
