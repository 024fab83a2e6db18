#include "common/ops/recompute.h"

#include <optional>
#include <tuple>

#include "common/nn/layers.h"
#include "common/ops/autocast.h"
#include "common/ops/dropout.h"
#include "common/ops/ops.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

// A block with all that a block of the model has, except attention.
struct SmallBlock : nn::Module {
  nn::LayerNorm ln{this, "ln", 64};
  nn::Linear c_fc{this, "c_fc", 64, 256}, c_proj{this, "c_proj", 256, 64};

  SmallBlock(nn::Module* parent, std::string name) : nn::Module(parent, std::move(name)) {}

  std::pair<Tensor, Tensor> operator()(const Tensor& x, const Tensor& update) {
    ++calls;
    const auto [sum, normed] = ln(x, update);
    return {sum, dropout(mlp(normed, c_fc.weight, c_fc.bias, c_proj.weight, c_proj.bias))};
  }

  int calls = 0;
};

struct Blocks : nn::Module {
  nn::ModuleList<SmallBlock> h{this, "h", 3};
  nn::LayerNorm ln_f{this, "ln_f", 64};
};

struct Pass {
  std::vector<std::vector<float>> gradients;
  float loss;
};

class RecomputeTest : public OnEveryDevice {
 protected:
  // Two passes, whose gradients add up.
  Pass train(DType weights, DType autocast, Recompute mode, bool dropout_outlives_forward = true) {
    nn::manual_seed(7);
    Blocks model;
    model.to(device(), weights);
    const Recomputing recomputing(mode);
    const DropoutMasks masks(0.2, 3, device());
    Tensor x = from_vector(uniform(5 * 64, -1, 1), {5, 64}, device()).to(weights);
    x.set_requires_grad();
    Pass pass;
    for (int i = 0; i < 2; ++i) {
      std::optional<Autocast> casting(std::in_place, autocast);
      std::optional<Dropout> dropping(std::in_place, masks);
      Tensor stream = x, update = x;
      for (SmallBlock& block : model.h) std::tie(stream, update) = checkpoint(block, stream, update);
      const Tensor last = model.ln_f(stream, update).second;
      const Tensor loss =
          matmul(last.to(DType::f32).view({1, 320}), last.to(DType::f32).view({320, 1})).to(DType::f32);
      if (!dropout_outlives_forward) dropping.reset(), casting.reset();
      loss.backward();
      pass.loss = loss.item();
    }
    for (const auto& [name, tensor] : model.named_parameters())
      pass.gradients.push_back(tensor->grad().to(DType::f32).to_vector<float>());
    pass.gradients.push_back(x.grad().to(DType::f32).to_vector<float>());
    calls = model.h[0].calls;
    return pass;
  }

  int calls = 0;  // of the first block
};

// On the CPU to the bit. A GPU's matrix product applies the GELU before it rounds, so its result is made again only to
// a rounding.
TEST_P(RecomputeTest, ChangesNoGradient) {
  for (const auto& [weights, autocast] :
       {std::pair{DType::f32, DType::f32}, {DType::f32, DType::bf16}, {DType::bf16, DType::f32}}) {
    const Pass expected = train(weights, autocast, Recompute::none);
    EXPECT_EQ(calls, 2);
    for (const Recompute mode : {Recompute::gelu, Recompute::layernorm, Recompute::block}) {
      const Pass actual = train(weights, autocast, mode);
      EXPECT_EQ(actual.loss, expected.loss);
      EXPECT_EQ(calls, mode == Recompute::block ? 4 : 2);
      for (size_t i = 0; i < expected.gradients.size(); ++i) {
        if (device() == kCpu || mode == Recompute::block) {
          EXPECT_EQ(actual.gradients[i], expected.gradients[i]) << int(mode) << ", gradient " << i;
        } else {
          EXPECT_LE(max_relative_error(actual.gradients[i], expected.gradients[i]), 2 * kRounding<bf16>);
        }
      }
    }
  }
}

TEST_P(RecomputeTest, TheSecondTimeIsUnderTheGuardsOfTheFirst) {
  const Pass expected = train(DType::f32, DType::bf16, Recompute::block);
  EXPECT_EQ(train(DType::f32, DType::bf16, Recompute::block, false).gradients, expected.gradients);
}

TEST_P(RecomputeTest, WithoutGradientsTheFunctionIsJustCalled) {
  nn::manual_seed(7);
  Blocks model;
  model.to(device());
  const Recomputing recomputing(Recompute::block);
  const NoGrad no_grad;
  const Tensor x = from_vector(uniform(64, -1, 1), {1, 64}, device());
  EXPECT_FALSE(checkpoint(model.h[0], x, x).first.requires_grad());
  EXPECT_EQ(model.h[0].calls, 1);
}

// A gradient of one result only, and an input that needs none.
TEST_P(RecomputeTest, UnusedResultsAndInputsHaveNoGradient) {
  nn::manual_seed(7);
  Blocks model;
  model.to(device());
  const auto gradients = [&](Recompute mode) {
    const Recomputing recomputing(mode);
    const Tensor x = from_vector(uniform(64, -1, 1), {1, 64}, device());
    const Tensor y = checkpoint(model.h[0], x, x).second;
    matmul(y, y.transpose(0, 1)).backward();
    std::vector<std::vector<float>> all;
    for (const auto& [name, tensor] : model.h[0].named_parameters()) {
      all.push_back(tensor->grad().to_vector<float>());
      tensor->variable()->grad = Tensor();
    }
    return all;
  };
  EXPECT_EQ(gradients(Recompute::block), gradients(Recompute::none));
}

// What a pass holds at the end of the forward pass, from the meta device's counts.
TEST(RecomputeMemory, EachModeKeepsLess) {
  const ParameterDevice on_meta(kMeta);
  const auto kept = [](Recompute mode) {
    Blocks model;
    model.to(kMeta, DType::bf16);
    const Recomputing recomputing(mode);
    Tensor x = empty({512, 64}, kMeta, DType::bf16);
    x.set_requires_grad();
    const size_t before = heap(kMeta).bytes_in_use();
    Tensor stream = x, update = x;
    for (SmallBlock& block : model.h) std::tie(stream, update) = checkpoint(block, stream, update);
    const size_t bytes = heap(kMeta).bytes_in_use() - before;
    context().tape->nodes.clear();
    return bytes;
  };
  // A block keeps the sum (C), its LayerNorm (C), the GELU's input and result (4C each), mean and rstd. The last block's
  // update (C) is there, too.
  const size_t C = 512 * 64 * 2, moments = 2 * 512 * sizeof(float);
  EXPECT_EQ(kept(Recompute::none), 3 * (10 * C + moments) + C);
  EXPECT_EQ(kept(Recompute::gelu), 3 * (6 * C + moments) + C);
  EXPECT_EQ(kept(Recompute::layernorm), 3 * (5 * C + moments) + C);
  EXPECT_EQ(kept(Recompute::block), 3 * 2 * C);  // each block's result and update
}

INSTANTIATE_ON_EVERY_DEVICE(RecomputeTest);

}  // namespace
}  // namespace gpt2::testing
