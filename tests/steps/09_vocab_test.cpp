#include "common/optim/adamw.h"
#include "common/tensor/cuda_graph.h"
#include "common/tensor/rows.h"
#include "common/text/sampling.h"
#include "tests/steps/models.h"
#include "tests/steps/program.h"

// After gtest: a step says `using namespace gpt2`, which has a `testing` of its own.
#include "steps/08_flash_attention/gpt2.h"
// Both steps' headers define GPT: the second gets a namespace of its own.
namespace step09 {
#include "paths.h"
#include "steps/09_vocab/gpt2.h"
}  // namespace step09

using namespace gpt2::testing;

class Vocab : public OnEveryDevice {
 protected:
  void SetUp() override {
    OnEveryDevice::SetUp();
    if (IsSkipped()) return;
    nn::manual_seed(1337);
    before_ = std::make_unique<GPT>(GPTConfig{64, 257, 2, 2, 64});
    padded_ = std::make_unique<step09::GPT>(step09::GPTConfig{64, 257, 2, 2, 64});
    copy_weights(*before_, *padded_);
    before_->to(device());
    padded_->to(device());
    std::tie(x_, y_) = batch_of_ids(2, 33, 257, device());
  }

  std::unique_ptr<GPT> before_;
  std::unique_ptr<step09::GPT> padded_;
  Tensor x_, y_;
};

TEST_P(Vocab, GivenStep08sWeightsLossLogitsAndGradientsAreThose) {
  const Pass before = forward_backward(*before_, x_, y_), padded = forward_backward(*padded_, x_, y_);
  EXPECT_EQ(padded.logits.size(), size_t(2 * 33 * 257));
  expect_same_pass(padded, before, 1e-5, 1e-5);
}

TEST_P(Vocab, ThePaddingHasNoGradient) {
  const auto& table = padded_->transformer.wte.weight;
  ASSERT_EQ(table.shape(), (Shape{384, 64}));
  padded_->operator()(x_, y_).second.backward();
  const std::vector<float> gradient = table.grad().to_vector<float>();
  for (size_t i = 257 * 64; i < gradient.size(); ++i) ASSERT_EQ(gradient[i], 0) << i;
}

// Even where the padding's logits are the largest.
TEST_P(Vocab, APaddedIdIsNeverSampled) {
  const NoGrad no_grad;
  const Tensor table = padded_->transformer.wte.weight.detach();
  copy_(table.slice(0, 257, 127), from_vector(std::vector<float>(127 * 64, 100.0f), {127, 64}, device()));
  Tensor logits = (*padded_)(x_);
  logits = logits.slice(1, 32, 1).contiguous().view({2, -1});
  const auto [probabilities, ids] = topk(softmax(logits), 50);
  Generator generator(42);
  for (int i = 0; i < 100; ++i) {
    for (const int32_t id : gather(ids, multinomial(probabilities, generator)).to_vector<int32_t>())
      ASSERT_LT(id, 257);
  }
}

TEST_P(Vocab, NothingIsRequestedFromTheSystemAfterTheSecondStep) {
  for (const DType dtype : {DType::bf16, DType::f32}) {
    optim::AdamW optimizer(*padded_, {.lr = 3e-4});
    size_t requests = 0, in_use = 0;
    for (int i = 0; i < 6; ++i) {
      {
        const Autocast autocast(dtype);
        optimizer.zero_grad();
        const auto [logits, loss] = (*padded_)(x_, y_);
        loss.backward();
        optimizer.step();
        loss.item();
      }
      const size_t now = heap(device()).requests() + heap(kCpu).requests();
      if (i >= 2) {
        EXPECT_EQ(now, requests) << "step " << i;
        EXPECT_EQ(heap(device()).bytes_in_use(), in_use) << "step " << i;
      }
      requests = now;
      in_use = heap(device()).bytes_in_use();
    }
    EXPECT_GE(requests, 1u);
  }
}

// A whole training step, optimizer and all, recorded once: the same losses as launch by launch, to the bit.
TEST_P(Vocab, ATrainingStepIsOneCudaGraph) {
  if (!device().is_cuda()) GTEST_SKIP() << "a CPU has no graphs";
  const auto train = [&](bool use_graph) {
    nn::manual_seed(7);
    step09::GPT model({64, 257, 2, 2, 64});
    model.to(device());
    optim::AdamW optimizer(model, {.lr = 3e-4});
    const Tensor kept = empty({}, device());  // made before the recording: nobody else gets its memory
    const auto step = [&] {
      const Autocast autocast(DType::bf16);
      optimizer.zero_grad();
      const auto [logits, loss] = model(x_, y_);
      loss.backward();
      optimizer.step();
      copy_(kept, loss);
    };
    std::vector<float> losses;
    std::unique_ptr<CudaGraph> graph;
    for (int i = 0; i < 6; ++i) {
      if (use_graph && i == 2) graph = std::make_unique<CudaGraph>(device(), step);
      graph ? graph->replay() : step();
      losses.push_back(kept.item());
    }
    return losses;
  };
  const std::vector<float> launched = train(false);
  EXPECT_LT(launched.back(), launched.front());
  EXPECT_EQ(train(true), launched);
}

INSTANTIATE_ON_EVERY_DEVICE(Vocab);

TEST(VocabConfig, IsRoundedUpTo128) {
  EXPECT_EQ(step09::GPTConfig().padded_vocab_size(), 50304);
  EXPECT_EQ((step09::GPTConfig{256, 257, 4, 4, 128}).padded_vocab_size(), 384);
  EXPECT_EQ((step09::GPTConfig{256, 384, 4, 4, 128}).padded_vocab_size(), 384);
}

TEST(VocabProgram, ACheckpointsRowsAreTheVocabularys) {
  GPT before(config_from(GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2"));
  nn::load(before, GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2");
  step09::GPT padded(step09::config_from(GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2"));
  nn::load(padded, GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2");
  const auto rows = [](const Tensor& table) { return table.slice(0, 0, 257).to_vector<float>(); };
  EXPECT_EQ(rows(padded.transformer.wte.weight), rows(before.transformer.wte.weight));
}

TEST(VocabProgram, LearnsAsStep08Does) {
  const auto losses = run_program("09_vocab", "--overfit --steps 200").losses();
  ASSERT_EQ(losses.size(), 200u);
  EXPECT_NEAR(losses[0], std::log(257.0), 0.2);
  EXPECT_LE(losses.back(), 0.5);
}
