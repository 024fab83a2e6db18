#include "tests/common/dist/launch.h"
#include "tests/steps/models.h"
#include "tests/steps/program.h"

#include "common/app/memory_check.h"
#include "common/nn/hf_config.h"
#include "common/nn/layers.h"
#include "common/nn/pretrained.h"
#include "common/ops/recompute.h"
#include "common/tensor/memory.h"
#include "steps/16_recompute/gpt2.h"

using namespace gpt2::testing;

namespace {

const std::vector<std::string> kModes = {"none", "gelu", "layernorm", "block"};

}  // namespace

TEST(Recompute, InEveryModeItIsStep15ToTheBit) {
  for (const std::string type : {"bf16", "fp32"}) {
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

// Each mode takes less memory than the one before, and as much as the plan says: within 3% and a segment of 32 MB, as in
// the test of chapter 08.
TEST(Recompute, PeaksFallAsThePlanSays) {
  const GPTConfig config{256, 257, 8, 2, 64};
  const int64_t B = 64, T = 128;
  Heap& memory = heap(kCpu);
  size_t before = SIZE_MAX, peak_before = SIZE_MAX;
  for (const Recompute mode : {Recompute::none, Recompute::gelu, Recompute::layernorm, Recompute::block}) {
    const Recomputing recomputing(mode);
    const size_t planned =
        app::plan_memory<GPT>(kCpu, config, B, T, DType::bf16, {.dtype = DType::bf16}).total();
    size_t held = 0, peak = 0;
    for (int round = 0; round < 2; ++round) {  // the first one also creates what the library keeps
      memory.release_free_segments();
      memory.reset_peak();
      const size_t reserved = memory.bytes_reserved(), in_use = memory.bytes_in_use();
      nn::manual_seed(1337);
      GPT model(config);
      model.to(kCpu, DType::bf16);
      optim::AdamW optimizer(model, {});
      const auto [x, y] = batch_of_ids(B, T, 257, kCpu);
      for (int step = 0; step < 2; ++step) {
        optimizer.zero_grad();
        model(x, y).second.backward();
        optimizer.step();
      }
      held = memory.bytes_reserved() - reserved;
      peak = memory.peak_bytes() - in_use;
    }
    std::printf("%d: %.1f MB planned, %.1f MB held, at most %.1f MB in use\n", int(mode),
                double(planned) / 1e6, double(held) / 1e6, double(peak) / 1e6);
    EXPECT_LE(std::abs(double(planned) - double(held)), 0.03 * double(planned) + double(32 << 20))
        << int(mode);
    EXPECT_LE(planned, before) << int(mode);
    EXPECT_LT(peak, peak_before) << int(mode);
    before = planned;
    peak_before = peak;
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
