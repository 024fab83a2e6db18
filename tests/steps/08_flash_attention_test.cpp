#include "common/app/memory_check.h"
#include "common/optim/adamw.h"
#include "tests/steps/models.h"
#include "tests/steps/program.h"

// After gtest: a step says `using namespace gpt2`, which has a `testing` of its own.
#include "steps/07_fusion/gpt2.h"
// Both steps' headers define GPT: the second gets a namespace of its own.
namespace step08 {
#include "steps/08_flash_attention/gpt2.h"
}

using namespace gpt2::testing;

class FlashAttention : public OnEveryDevice {
 protected:
  // Both models with heads of 32 channels.
  void SetUp() override {
    OnEveryDevice::SetUp();
    if (IsSkipped()) return;
    nn::manual_seed(1337);
    before_ = std::make_unique<GPT>(GPTConfig{128, 257, 2, 2, 64});
    flash_ = std::make_unique<step08::GPT>(step08::GPTConfig{128, 257, 2, 2, 64});
    copy_weights(*before_, *flash_);
    before_->to(device());
    flash_->to(device());
    std::tie(x_, y_) = batch_of_ids(2, 77, 257, device());
  }

  std::unique_ptr<GPT> before_;
  std::unique_ptr<step08::GPT> flash_;
  Tensor x_, y_;
};

TEST_P(FlashAttention, EqualsStep07ToRounding) {
  expect_same_pass(forward_backward(*flash_, x_, y_), forward_backward(*before_, x_, y_), 1e-5, 1e-5);
}

TEST_P(FlashAttention, EqualsStep07WithinBf16Noise) {
  const Pass before = forward_backward(*before_, x_, y_, DType::bf16);
  const Pass flash = forward_backward(*flash_, x_, y_, DType::bf16);
  EXPECT_LE(std::abs(flash.loss / before.loss - 1), 1e-3);
  expect_same_pass(flash, before, 3e-2, 3e-2);
}

// Heads of 13 channels, as the fixture's, and of 40: there are no kernels for these sizes.
TEST_P(FlashAttention, EqualsStep07ForOtherHeadSizes) {
  for (const int64_t n_embd : {26, 80}) {
    SCOPED_TRACE(n_embd);
    GPT before(GPTConfig{128, 257, 2, 2, n_embd});
    step08::GPT flash(step08::GPTConfig{128, 257, 2, 2, n_embd});
    copy_weights(before, flash);
    before.to(device());
    flash.to(device());
    expect_same_pass(forward_backward(flash, x_, y_), forward_backward(before, x_, y_), 1e-5, 1e-5);
    expect_same_pass(forward_backward(flash, x_, y_, DType::bf16),
                     forward_backward(before, x_, y_, DType::bf16), 3e-2, 3e-2);
  }
}

INSTANTIATE_ON_EVERY_DEVICE(FlashAttention);

namespace {

// The most memory of a training step, by the meta device, which asks for what the real ones ask for.
template <class GPT, class Config>
double peak_megabytes(int64_t positions) {
  const ParameterDevice on_meta(kMeta);
  GPT model(Config{2048, 257, 4, 4, 128});
  model.to(kMeta);
  Heap& memory = heap(kMeta);
  memory.reset_peak();
  const Autocast autocast(DType::bf16);
  const Tensor x = empty({4, positions}, kMeta, DType::i32);
  model(x, x).second.backward();
  return double(memory.peak_bytes()) / 1e6;
}

}  // namespace

TEST(FlashAttentionMemory, GrowsLinearlyWithTheLength) {
  std::vector<double> flash, before;
  for (const int64_t positions : {256, 512, 1024, 2048}) {
    flash.push_back(peak_megabytes<step08::GPT, step08::GPTConfig>(positions));
    before.push_back(peak_megabytes<GPT, GPTConfig>(positions));
  }
  for (size_t i = 2; i < 4; ++i) {
    const double flash_growth = (flash[i] - flash[i - 1]) / (flash[i - 1] - flash[i - 2]);
    EXPECT_NEAR(flash_growth, 2, 0.1) << "from T = " << (128 << i);  // twice the positions, twice the growth
    EXPECT_GE((before[i] - before[i - 1]) / (before[i - 1] - before[i - 2]), 3);  // of a square: up to four
  }
}

class PlannedMemory : public OnEveryDevice {};

// Within 3% and a segment of 32 MB, which the library's own small blocks may share with tensors. (The executor would be
// slow with a batch that fills many segments.)
TEST_P(PlannedMemory, IsWhatTheHeapHoldsAfterTwoSteps) {
  const step08::GPTConfig config{128, 257, 2, 2, 64};
  const int64_t B = backend(device()).name().find("executor") == std::string::npos ? 256 : 16;
  Heap& memory = heap(device());
  for (const DType dtype : {DType::f32, DType::bf16}) {
    size_t held = 0;
    for (int round = 0; round < 2; ++round) {  // the first one also creates what the library keeps
      memory.release_free_segments();
      const size_t before = memory.bytes_reserved();
      nn::manual_seed(1337);
      step08::GPT model(config);
      model.to(device());
      optim::AdamW optimizer(model, {});
      const auto [x, y] = batch_of_ids(B, 64, 257, device());
      for (int step = 0; step < 2; ++step) {
        const Autocast autocast(dtype);
        optimizer.zero_grad();
        model(x, y).second.backward();
        optimizer.step();
      }
      held = memory.bytes_reserved() - before;
    }
    const size_t planned = app::plan_memory<step08::GPT>(device(), config, B, 64, dtype).total();
    EXPECT_LE(std::abs(double(planned) - double(held)), 0.03 * double(planned) + double(32 << 20))
        << planned << " planned, " << held << " held";
  }
}

INSTANTIATE_ON_EVERY_DEVICE(PlannedMemory);

TEST(FlashAttentionProgram, BadInputIsOneLine) {
  expect_error("08_flash_attention", "--attention torch", "--attention: torch is not one of own, cudnn");
  expect_error("08_flash_attention", "--attention cudnn", "--attention cudnn");
  const TempDir folder;  // one head of 130 channels
  put_file(folder / "config.json",
           R"({"n_embd": 130, "n_head": 1, "n_layer": 1, "n_positions": 256, "vocab_size": 257})");
  expect_error("08_flash_attention", "--batch 1 --seq 8 --tokenizer byte --model " + folder.path(),
               "heads of 130 channels; flash attention takes at most 128, steps 01 to 07 take any number");
}

TEST(FlashAttentionProgram, TrainsAModelWhoseHeadsHaveAnotherSize) {
  const std::string flags = "--model data/fixtures/tiny-gpt2 --batch 2 --seq 32 --steps 5 --dtype fp32";
  const std::vector<double> before = run_program("07_fusion", flags).losses();
  EXPECT_EQ(before.size(), 5u);
  EXPECT_LE(largest_difference(run_program("08_flash_attention", flags).losses(), before), 1e-5);
}
