#include "tests/steps/models.h"
#include "tests/steps/program.h"

// After gtest: a step says `using namespace gpt2`, which has a `testing` of its own.
#include "steps/06_bf16/gpt2.h"
// Both steps' headers define GPT: the second gets a namespace of its own.
#include <tuple>
namespace step07 {
#include "steps/07_fusion/gpt2.h"
}

using namespace gpt2::testing;

class Fusion : public OnEveryDevice {
 protected:
  void SetUp() override {
    OnEveryDevice::SetUp();
    if (IsSkipped()) return;
    nn::manual_seed(1337);
    before_ = std::make_unique<GPT>(GPTConfig{64, 257, 2, 2, 64});
    fused_ = std::make_unique<step07::GPT>(step07::GPTConfig{64, 257, 2, 2, 64});
    copy_weights(*before_, *fused_);
    before_->to(device());
    fused_->to(device());
    std::tie(x_, y_) = batch_of_ids(2, 33, 257, device());
  }

  // Kernels called and bytes touched by a training step.
  template <class Model>
  KernelCounts::Count count(Model& model, DType dtype) {
    const Autocast autocast(dtype);
    context().counts.reset();
    const auto [logits, loss] = model(x_, y_);
    loss.backward();
    KernelCounts::Count all;
    for (const auto& [kernel, count] : context().counts.by_kernel()) {
      all.calls += count.calls;
      all.bytes += count.bytes;
    }
    return all;
  }

  std::unique_ptr<GPT> before_;
  std::unique_ptr<step07::GPT> fused_;
  Tensor x_, y_;
};

TEST_P(Fusion, EqualsStep06ToRounding) {
  expect_same_pass(forward_backward(*fused_, x_, y_), forward_backward(*before_, x_, y_), 1e-5, 1e-5);
}

TEST_P(Fusion, EqualsStep06WithinBf16Noise) {
  const Pass exact = forward_backward(*before_, x_, y_);
  const Pass before = forward_backward(*before_, x_, y_, DType::bf16);
  const Pass fused = forward_backward(*fused_, x_, y_, DType::bf16);
  EXPECT_LE(std::abs(fused.loss / exact.loss - 1), 1e-3);
  expect_same_pass(fused, before, 3e-2, 3e-2);
}

TEST_P(Fusion, CallsFewerKernelsThatTouchFewerBytes) {
  // Of this small model's bytes the weights are a large part, and nobody saves those: more so in float32.
  for (const auto& [dtype, share] : {std::pair(DType::f32, 0.9), std::pair(DType::bf16, 0.8)}) {
    const auto before = count(*before_, dtype), fused = count(*fused_, dtype);
    EXPECT_LE(double(fused.calls), share * double(before.calls));
    EXPECT_LE(double(fused.bytes), share * double(before.bytes));
  }
}

INSTANTIATE_ON_EVERY_DEVICE(Fusion);

TEST(FusionProgram, LossesOf50StepsAreStep06s) {
  const auto before = run_program("06_bf16", "--dtype fp32 --matmul-precision highest").losses(),
             fused = run_program("07_fusion", "--dtype fp32 --matmul-precision highest").losses();
  EXPECT_LE(largest_difference(fused, before), 1e-4);
}
