#include "common/ops/autocast.h"

#include "common/nn/layers.h"
#include "common/optim/adamw.h"
#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

class AutocastTest : public OnEveryDevice {
 protected:
  Tensor tensor(const Shape& shape, unsigned seed) {
    return from_vector(uniform(numel(shape), -1, 1, seed), shape, device()).set_requires_grad();
  }
  static int64_t calls(const std::string& kernel) {
    const auto& counts = context().counts.by_kernel();
    return counts.contains(kernel) ? counts.at(kernel).calls : 0;
  }
};

TEST_P(AutocastTest, MatrixProductsGiveBf16AndTheRestFloat32) {
  const Autocast autocast(DType::bf16);
  const Tensor x = tensor({2, 8, 32}, 1), w = tensor({32, 32}, 2), b = tensor({32}, 3), g = tensor({32}, 4);
  const Tensor y = linear(x, w, b), scores = matmul(x, x.transpose(-2, -1));
  EXPECT_EQ(y.dtype(), DType::bf16);
  EXPECT_EQ(scores.dtype(), DType::bf16);
  EXPECT_EQ(gelu(y).dtype(), DType::bf16);
  EXPECT_EQ(causal_mask(scores / 4).dtype(), DType::bf16);
  EXPECT_EQ(softmax(scores).dtype(), DType::f32);
  EXPECT_EQ(layer_norm(y, g, b, 1e-5f).dtype(), DType::f32);
  EXPECT_EQ((x + y).dtype(), DType::f32);
  EXPECT_EQ((y + x).dtype(), DType::f32);
  EXPECT_EQ(cross_entropy(y, from_vector(Ids(16, 3), {2, 8}, device())).dtype(), DType::f32);
  EXPECT_EQ(add_layer_norm(x, y, g, b, 1e-5f).first.dtype(), DType::f32);
  EXPECT_EQ(add_layer_norm(x, y, g, b, 1e-5f).second.dtype(), DType::bf16);
}

TEST_P(AutocastTest, FloatMeansNoAutocast) {
  const Autocast autocast(DType::f32);
  EXPECT_EQ(linear(tensor({4, 8}, 1), tensor({8, 8}, 2), {}).dtype(), DType::f32);
}

// What a bf16 linear layer and its gradients are off by: the roundings of its operands and of what it hands on.
TEST_P(AutocastTest, ALinearLayerIsWithinBf16OfTheFloatOne) {
  const std::vector<Input> inputs = {random_input({33, 64}, 1), random_input({48, 64}, 2),
                                     random_input({48}, 3)};
  const std::vector<float> dy = uniform(33 * 48, -1, 1, 4);
  const auto run = [&](DType dtype) {
    const Autocast autocast(dtype);
    return differentiate(
        device(), inputs,
        [](const std::vector<Tensor>& in) { return linear(in[0], in[1], in[2]).to(DType::f32); }, dy);
  };
  const OpResult exact = run(DType::f32), rounded = run(DType::bf16);
  EXPECT_LE(max_relative_error(rounded.y, exact.y), 1e-2);
  EXPECT_GE(max_relative_error(rounded.y, exact.y), 1e-5);  // it is bf16
  for (size_t i = 0; i < inputs.size(); ++i)
    EXPECT_LE(max_relative_error(rounded.gradients[i], exact.gradients[i]), 1e-2) << i;
}

TEST_P(AutocastTest, AWeightIsRoundedOnceAStep) {
  const Tensor x = tensor({4, 32}, 1), w = tensor({32, 32}, 2);
  for (int step = 0; step < 2; ++step) {
    const Autocast autocast(DType::bf16);
    const Tensor h = linear(x, w, {});
    context().counts.reset();
    const Tensor y = linear(h, w, {});
    EXPECT_EQ(calls("copy_strided"), 0) << step;  // h is bf16 already, and so is the copy of w
  }
}

TEST_P(AutocastTest, AChangedWeightIsRoundedAgainInTheNextStep) {
  const Tensor x = tensor({4, 32}, 1), w = tensor({32, 32}, 2);
  const auto values = [&] {
    const Autocast autocast(DType::bf16);
    return linear(x, w, {}).to(DType::f32).to_vector<float>();
  };
  const std::vector<float> before = values();
  zero_(w);
  EXPECT_NE(values(), before);
  EXPECT_EQ(values(), std::vector<float>(4 * 32, 0));
}

// From 10_adamw on the optimizer writes the rounded weights, and a step rounds none.
TEST_P(AutocastTest, TheOptimizerKeepsTheRoundedWeights) {
  nn::Linear layer(nullptr, "layer", 32, 24);
  layer.to(device());
  optim::AdamW optimizer({{layer.weight}, 0.1}, {{layer.bias}, 0}, {.lr = 0.01});
  const Tensor x = from_vector(uniform(4 * 32, -1, 1), {4, 32}, device()), ids = arange(4, device());
  const auto rounded = [&](const Tensor& p) {
    return p.detach().to(DType::bf16).to(DType::f32).to_vector<float>();
  };
  const auto step = [&] {
    const Autocast autocast(DType::bf16);
    const Tensor loss = cross_entropy(layer(x), ids);
    EXPECT_EQ(cast_weight(layer.weight, DType::bf16).to(DType::f32).to_vector<float>(),
              rounded(layer.weight));
    EXPECT_EQ(cast_weight(layer.bias, DType::bf16).to(DType::f32).to_vector<float>(), rounded(layer.bias));
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    context().counts.reset();
    cast_weight(layer.weight, DType::bf16);
    cast_weight(layer.bias, DType::bf16);
    EXPECT_EQ(calls("copy_strided"), 0);
  };
  for (int i = 0; i < 3; ++i) step();
  const std::vector<float> trained = rounded(layer.weight);
  copy_(layer.weight, from_vector(uniform(24 * 32, -1, 1, 9), {24, 32}, device()));  // as a checkpoint does
  EXPECT_NE(rounded(layer.weight), trained);
  step();
  optim::AdamW another(layer, {});  // without copies
  const auto step_of_another = [&] {
    const Autocast autocast(DType::bf16);
    const Tensor loss = cross_entropy(layer(x), ids);
    EXPECT_EQ(cast_weight(layer.weight, DType::bf16).to(DType::f32).to_vector<float>(),
              rounded(layer.weight));
    another.zero_grad();
    loss.backward();
    another.step();
  };
  for (int i = 0; i < 2; ++i) step_of_another();
}

TEST_P(AutocastTest, ParametersAndTheirGradientsStayFloat32) {
  const Tensor x = tensor({4, 32}, 1), w = tensor({32, 32}, 2), b = tensor({32}, 3);
  const Autocast autocast(DType::bf16);
  const Tensor y = linear(gelu(linear(x, w, b)), w, b);
  cross_entropy(y, from_vector(Ids{1, 2, 3, 4}, {4}, device())).backward();
  for (const Tensor& leaf : {x, w, b}) {
    EXPECT_EQ(leaf.dtype(), DType::f32);
    EXPECT_EQ(leaf.grad().dtype(), DType::f32);
  }
}

INSTANTIATE_ON_EVERY_DEVICE(AutocastTest);

TEST(Meta, ATrainingStepHasShapesAndNoValues) {
  const ParameterDevice on_meta(kMeta);
  nn::Linear layer(nullptr, "layer", 64, 48);
  EXPECT_EQ(layer.weight.device(), kMeta);
  Heap& memory = heap(kMeta);
  memory.reset_peak();
  const size_t before = memory.bytes_in_use();
  const Tensor loss = cross_entropy(layer(empty({1000, 64}, kMeta)), empty({1000}, kMeta, DType::i32));
  loss.backward();
  EXPECT_GE(memory.peak_bytes() - before, 1000u * (64 + 2 * 48) * sizeof(float));
}

}  // namespace
}  // namespace gpt2::testing
