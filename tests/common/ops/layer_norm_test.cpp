#include "tests/common/files.h"
#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

class LayerNormOpTest : public OnEveryDevice {};

// Input 0 is x, 1 the weight, 2 the bias.
Op layer_norm_with(float eps) {
  return [eps](const std::vector<Tensor>& in) { return layer_norm(in[0], in[1], in[2], eps); };
}
Oracle oracle_with(float eps) {
  return [eps](const std::vector<Values>& in) { return oracle::layer_norm(in[0], in[1], in[2], eps).y; };
}

TEST_P(LayerNormOpTest, AgreesWithTheOracleOverTheLastDimension) {
  for (const Shape& shape : {Shape{7}, Shape{5, 33}, Shape{2, 3, 8}, Shape{2, 3, 1, 7}}) {
    for (const float eps : {1e-5f, 1e-3f, 0.5f}) {
      const Shape C = {shape.back()};
      expect_agrees_with_oracle(device(),
                                {random_input(shape, 1, -3, 5), random_input(C, 2), random_input(C, 3)},
                                layer_norm_with(eps), oracle_with(eps));
    }
  }
}

TEST_P(LayerNormOpTest, ReadsStridedViewsAndGradients) {
  const auto op = [](const std::vector<Tensor>& in) {
    return layer_norm(in[0].transpose(0, 1), in[1], in[2], 1e-3f).transpose(0, 1);
  };
  const auto oracle = [](const std::vector<Values>& in) {
    const Values x = oracle::transpose(in[0], 7, 5);  // (5, 7)
    return oracle::transpose(oracle::layer_norm(x, in[1], in[2], 1e-3f).y, 5, 7);
  };
  const std::vector<Input> inputs = {random_input({7, 5}, 1, -3, 5), random_input({7}, 2),
                                     random_input({7}, 3)};
  expect_agrees_with_oracle(device(), inputs, op, oracle);
}

TEST_P(LayerNormOpTest, ReadsAStridedWeightAndBias) {
  const auto op = [](const std::vector<Tensor>& in) {
    const Tensor column = in[1].slice(1, 1, 1).view({7}), next = in[1].slice(1, 2, 1).view({7});
    return layer_norm(in[0], column, next, 1e-3f);
  };
  const auto oracle = [](const std::vector<Values>& in) {
    return oracle::layer_norm(in[0], oracle::columns(in[1], 3, 1, 1), oracle::columns(in[1], 3, 2, 1), 1e-3f)
        .y;
  };
  expect_agrees_with_oracle(device(), {random_input({5, 7}, 1, -3, 5), random_input({7, 3}, 2)}, op, oracle);
}

TEST_P(LayerNormOpTest, AConstantWeightOrBiasDoesNotKeepTheOtherFromItsGradient) {
  const Input x = random_input({5, 7}, 1, -3, 5), weight = random_input({7}, 2), bias = random_input({7}, 3);
  const auto dy = uniform(35, -1, 1, 4);
  const auto all = differentiate(device(), {x, weight, bias}, layer_norm_with(1e-5f), dy);
  const Tensor constant_weight = from_vector(weight.values, weight.shape, device());
  const Tensor constant_bias = from_vector(bias.values, bias.shape, device());
  const auto without_bias = differentiate(
      device(), {x, weight}, [&](const auto& in) { return layer_norm(in[0], in[1], constant_bias, 1e-5f); },
      dy);
  EXPECT_EQ(without_bias.gradients[1], all.gradients[1]);
  const auto without_weight = differentiate(
      device(), {x, bias}, [&](const auto& in) { return layer_norm(in[0], constant_weight, in[1], 1e-5f); },
      dy);
  EXPECT_EQ(without_weight.gradients[0], all.gradients[0]);
  EXPECT_EQ(without_weight.gradients[1], all.gradients[2]);
}

TEST_P(LayerNormOpTest, NamesTheShapesThatDoNotFit) {
  const auto tensor = [&](const Shape& shape) { return empty(shape, device()); };
  EXPECT_ERROR(layer_norm(tensor({5, 7}), tensor({5}), tensor({7}), 1e-5f),
               "layer_norm: x is (5, 7) but weight is (5) and bias (7)");
  EXPECT_ERROR(layer_norm(tensor({5, 7}), tensor({7}), tensor({7, 1}), 1e-5f),
               "layer_norm: x is (5, 7) but weight is (7) and bias (7, 1)");
}

INSTANTIATE_ON_EVERY_DEVICE(LayerNormOpTest);

}  // namespace
}  // namespace gpt2::testing
