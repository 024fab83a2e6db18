#include "tests/common/dist/launch.h"
#include "tests/steps/models.h"
#include "tests/steps/program.h"

#include "common/app/memory_check.h"
#include "common/nn/hf_config.h"
#include "common/nn/layers.h"
#include "common/nn/pretrained.h"
#include "common/ops/recompute.h"
#include "steps/16_recompute/gpt2.h"

using namespace gpt2::testing;

namespace {

const std::vector<std::string> kModes = {"none", "gelu", "layernorm", "block"};

}  // namespace

TEST(Recompute, InEveryModeItIsStep15ToTheBit) {
  for (const std::string& type : {"bf16", "fp32"}) {
    const std::string flags = "--steps 6 --batch 2 --seq 32 --total-batch 256 --dropout 0.1 --dtype " + type;
    const Outcome expected = run_program("15_bf16_weights", flags);
    for (const std::string& mode : kModes) {
      const Outcome actual = run_program("16_recompute", flags + " --recompute " + mode);
      EXPECT_EQ(actual.losses(), expected.losses()) << mode;
      for (size_t i = 0; i < expected.events("step").size(); ++i)
        EXPECT_EQ(actual.events("step")[i].at("norm"), expected.events("step")[i].at("norm")) << mode;
    }
  }
}

// Each mode takes less memory than the one before, and as much as the plan says.
TEST(Recompute, PeaksFallAsThePlanSays) {
  const GPTConfig config = config_named("tiny", 257);
  const int64_t B = 8, T = 256;
  double before = INFINITY;
  for (size_t i = 0; i < kModes.size(); ++i) {
    const Recomputing recomputing{Recompute(i)};
    const double planned =
        double(app::planned_bytes<GPT>(kCpu, config, B, T, DType::bf16, {.dtype = DType::bf16}));
    const Outcome run = run_program(
        "16_recompute", "--batch 8 --seq 256 --total-batch 2048 --steps 3 --recompute " + kModes[i]);
    const double held = run.events("done").at(0).at("peak_bytes");
    EXPECT_LT(planned, before) << kModes[i];
    before = planned;
    std::printf("%s: %.0f planned, peak %.0f\n", kModes[i].c_str(), planned, held);
  }
}

TEST(Recompute, TwoRanksAreTwoRanksOfStep15) {
  if (!have_mpirun()) GTEST_SKIP() << "mpirun is not there";
  const std::string flags = " --device cpu --steps 4 --batch 1 --seq 32 --total-batch 128 --log ";
  const TempDir folder;
  EXPECT_EQ(run_with_mpi(2, GPT2_BIN_DIR "/15_bf16_weights" + flags + (folder / "15")).status, 0);
  EXPECT_EQ(run_with_mpi(2, GPT2_BIN_DIR "/16_recompute --recompute block" + flags + (folder / "16")).status,
            0);
  const auto losses = [&](const std::string& log) {
    std::vector<std::pair<double, double>> losses;
    std::ifstream lines(folder / log);
    for (std::string line; std::getline(lines, line);) {
      const auto event = nlohmann::json::parse(line);
      if (event.at("event") == "step") losses.emplace_back(event.at("loss"), event.at("norm"));
    }
    return losses;
  };
  EXPECT_EQ(losses("16"), losses("15"));
  EXPECT_EQ(losses("16").size(), 4u);
}

TEST(Recompute, BadInputIsOneLine) { expect_error("16_recompute", "--recompute some", "--recompute"); }
