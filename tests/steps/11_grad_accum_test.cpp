#include "common/optim/adamw.h"
#include "tests/steps/models.h"
#include "tests/steps/program.h"

// After gtest: a step says `using namespace gpt2`, which has a `testing` of its own.
#include "steps/11_grad_accum/gpt2.h"

using namespace gpt2::testing;

using GradAccum = OnEveryDevice;

// The mean over a batch is the mean of its parts' means.
TEST_P(GradAccum, MicroBatchesGiveTheGradientsOfOneBatch) {
  const int64_t B = 8, T = 16;
  const auto [x, y] = batch_of_ids(B, T, 257, device());
  const auto gradients = [&, x = x, y = y](int64_t micro_batches) {
    nn::manual_seed(1337);
    GPT model({.block_size = 32, .vocab_size = 257, .n_layer = 2, .n_head = 2, .n_embd = 64});
    model.to(device());
    optim::AdamW optimizer(model, {});
    optimizer.zero_grad();
    const int64_t rows = B / micro_batches;
    for (int64_t i = 0; i < micro_batches; ++i) {
      const auto [logits, loss] = model(x.slice(0, i * rows, rows), y.slice(0, i * rows, rows));
      (loss / double(micro_batches)).backward();
    }
    std::map<std::string, std::vector<float>> result;
    for (const auto& [name, tensor] : model.named_parameters())
      result[name] = tensor->grad().to_vector<float>();
    return result;
  };
  const auto whole = gradients(1);
  for (const int64_t k : {2, 4, 8}) {
    const auto parts = gradients(k);
    for (const auto& [name, gradient] : whole) {
      if (name.ends_with("c_attn.bias")) continue;  // of the key bias: 0, and noise
      EXPECT_LE(relative_distance(parts.at(name), gradient), 1e-5) << k << " " << name;
    }
  }
}

INSTANTIATE_ON_EVERY_DEVICE(GradAccum);

TEST(GradAccumProgram, TheLossesDoNotDependOnTheMicroBatch) {
  const std::string flags = "--steps 10 --dtype fp32 --total-batch 1024 --batch ";
  const auto whole = run_program("11_grad_accum", flags + "16").losses();
  EXPECT_LE(largest_difference(run_program("11_grad_accum", flags + "4").losses(), whole), 1e-5);
  EXPECT_LE(largest_difference(run_program("11_grad_accum", flags + "1").losses(), whole), 1e-5);
}

TEST(GradAccumProgram, OneMicroBatchIsStep10) {
  EXPECT_EQ(run_program("11_grad_accum", "--steps 10 --total-batch 256").losses(),
            run_program("10_adamw", "--steps 10").losses());
}

TEST(GradAccumProgram, BadInputIsOneLine) {
  expect_error("11_grad_accum", "--total-batch 1000",
               "--total-batch 1000: not a multiple of 256 (--batch 4 x --seq 64); the nearest multiples are "
               "768 and 1024");
}
