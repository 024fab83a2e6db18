#include "common/optim/adamw.h"

#include "common/nn/layers.h"
#include "common/ops/autograd.h"
#include "tests/common/files.h"
#include "tests/common/golden.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

// The parameters of the golden.
struct VectorAndMatrix : nn::Module {
  Tensor vector, matrix;
  VectorAndMatrix(const std::vector<float>& v, const std::vector<float>& m)
      : vector(from_vector(v, {5})), matrix(from_vector(m, {3, 7})) {
    register_parameter("vector", vector);
    register_parameter("matrix", matrix);
  }
};

class OptimAdamWTest : public OnEveryDevice {
 protected:
  // Step `step` of a golden's (steps, ...) values.
  std::vector<float> at_step(const std::string& name, int64_t step) const {
    const std::vector<float> all = golden_.floats(name);
    const int64_t n = int64_t(all.size()) / golden_.shape(name)[0];
    return {all.begin() + step * n, all.begin() + (step + 1) * n};
  }

  // What backward() would leave: dx as the gradient of a parameter.
  static void give_gradient(const Tensor& parameter, const std::vector<float>& dx) {
    Gradients({}, {parameter.variable()}).add(0, from_vector(dx, parameter.shape(), parameter.device()));
  }

  const GoldenTensors golden_{"adamw.safetensors"};
};

// The part of a moment that belongs to a parameter.
std::vector<float> part_of(const Tensor& moment, const Tensor& parameter) {
  return moment.as_strided(parameter.shape(), parameter.strides(), parameter.offset()).to_vector<float>();
}

// Each value for itself: the goldens' gradients go from 1e-9 to 1e2.
void expect_close(const std::vector<float>& actual, const std::vector<float>& expected, double absolute,
                  double relative) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    const double e = expected[i];
    EXPECT_LE(std::abs(double(actual[i]) - e), absolute + relative * std::abs(e))
        << i << ": " << actual[i] << " " << e;
  }
}

TEST_P(OptimAdamWTest, OnlyTheFirstGroupDecays) {
  const auto weights = [&](bool vector_decays, double weight_decay) {
    VectorAndMatrix model(golden_.floats("vector.start"), golden_.floats("matrix.start"));
    model.to(device());
    std::vector<Tensor> decayed = {model.matrix}, not_decayed;
    (vector_decays ? decayed : not_decayed).push_back(model.vector);
    optim::AdamW optimizer({decayed, weight_decay}, {not_decayed, 0}, {.lr = 0.1});
    optimizer.zero_grad();
    for (const auto& [name, tensor] : model.named_parameters())
      give_gradient(*tensor, at_step(name + ".grad", 0));
    optimizer.step();
    return std::pair(model.vector.to_vector<float>(), model.matrix.to_vector<float>());
  };
  const auto all = weights(true, 0.5), matrices = weights(false, 0.5), none = weights(true, 0);
  EXPECT_EQ(matrices.first, none.first);
  EXPECT_EQ(matrices.second, all.second);
  EXPECT_NE(all.first, none.first);
}

TEST_P(OptimAdamWTest, GroupsThatOneLaunchCannotServeAreErrors) {
  VectorAndMatrix model({1, -2, 3, -4, 5}, uniform(21, -1, 1));
  model.to(device());
  using Groups = std::pair<optim::ParameterGroup, optim::ParameterGroup>;
  const std::vector<std::pair<Groups, std::string>> cases = {
      {{{{model.vector}, 0.1}, {{model.matrix}, 0}},
       "parameters that decay must lie before those that do not"},
      {{{{model.matrix}, 0.1}, {{model.vector}, 0.2}}, "the second group's weight decay is 0.2, not 0"},
      {{{{}, 0.1}, {{}, 0}}, "the model has no parameters"}};
  for (const auto& [groups, message] : cases) {
    EXPECT_ERROR(optim::AdamW(groups.first, groups.second, {}), message);
  }
}

TEST_P(OptimAdamWTest, WeightsAndMomentsAreTorchsAfterEveryStep) {
  const std::pair<std::string, optim::AdamWOptions> sets[] = {
      {"default", {.lr = 3e-4}},
      {"video", {.lr = 6e-4, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1}}};
  for (const auto& [set, options] : sets) {
    VectorAndMatrix model(golden_.floats("vector.start"), golden_.floats("matrix.start"));
    model.to(device());
    optim::AdamW optimizer(model, options);
    const int64_t steps = golden_.shape("vector.grad")[0];
    ASSERT_EQ(steps, 10);
    for (int64_t step = 0; step < steps; ++step) {
      optimizer.zero_grad();
      for (const auto& [name, tensor] : model.named_parameters())
        give_gradient(*tensor, at_step(name + ".grad", step));
      optimizer.step();
      for (const auto& [name, tensor] : model.named_parameters()) {
        SCOPED_TRACE(set + "." + name + " after step " + std::to_string(step));
        const std::string prefix = set + "." + name;
        expect_close(tensor->to_vector<float>(), at_step(prefix + ".weight", step), 1e-6, 0);
        expect_close(part_of(optimizer.first_moment(), *tensor), at_step(prefix + ".exp_avg", step), 0, 1e-5);
        expect_close(part_of(optimizer.second_moment(), *tensor), at_step(prefix + ".exp_avg_sq", step), 0,
                     1e-5);
      }
    }
  }
}

TEST_P(OptimAdamWTest, AParameterThatBackwardDoesNotReachHasGradientZeroAndStillDecays) {
  VectorAndMatrix model({1, -2, 3, -4, 5}, uniform(21, -1, 1));
  model.to(device());
  optim::AdamW optimizer(model, {.lr = 0.1, .weight_decay = 0.5});
  const std::vector<float> matrix = model.matrix.to_vector<float>();
  for (int step = 0; step < 2; ++step) {
    optimizer.zero_grad();
    EXPECT_FALSE(model.vector.grad().defined());
    matmul(model.matrix.view({1, 21}), model.matrix.view({21, 1})).backward();
    optimizer.step();
    EXPECT_EQ(model.vector.grad().to_vector<float>(), std::vector<float>(5, 0));
  }
  expect_close(model.vector.to_vector<float>(), {0.9025f, -1.805f, 2.7075f, -3.61f, 4.5125f}, 1e-6, 0);
  EXPECT_EQ(part_of(optimizer.first_moment(), model.vector), std::vector<float>(5, 0));
  EXPECT_NE(part_of(optimizer.first_moment(), model.matrix), std::vector<float>(21, 0));
  EXPECT_NE(model.matrix.to_vector<float>(), matrix);
}

// A gradient of the step before must not count again.
TEST_P(OptimAdamWTest, AParameterThatIsReachedOnlyOnceHasGradientZeroAfterwards) {
  VectorAndMatrix model({1, -2, 3, -4, 5}, uniform(21, -1, 1));
  model.to(device());
  optim::AdamW optimizer(model, {.lr = 0.1});
  give_gradient(model.vector, {1, 1, 1, 1, 1});
  optimizer.step();
  const auto first = part_of(optimizer.first_moment(), model.vector);
  optimizer.zero_grad();
  optimizer.step();
  expect_close(part_of(optimizer.first_moment(), model.vector), std::vector<float>(5, 0.9f * first[0]), 0,
               1e-6);
  EXPECT_EQ(model.vector.grad().to_vector<float>(), std::vector<float>(5, 0));
}

TEST_P(OptimAdamWTest, GradientsAddUpUntilZeroGrad) {
  VectorAndMatrix model({1, -2, 3, -4, 5}, uniform(21, -1, 1));
  model.to(device());
  optim::AdamW optimizer(model, {});
  EXPECT_FALSE(model.vector.grad().defined());
  give_gradient(model.vector, {1, 2, 3, 4, 5});
  const float* block = model.vector.grad().data<float>();
  give_gradient(model.vector, {1, 2, 3, 4, 5});
  EXPECT_EQ(model.vector.grad().to_vector<float>(), (std::vector<float>{2, 4, 6, 8, 10}));
  optimizer.zero_grad();
  EXPECT_FALSE(model.vector.grad().defined());
  give_gradient(model.vector, {7, 7, 7, 7, 7});
  EXPECT_EQ(model.vector.grad().to_vector<float>(), std::vector<float>(5, 7));
  EXPECT_EQ(model.vector.grad().data<float>(), block);  // always the optimizer's memory
}

TEST_P(OptimAdamWTest, ATiedParameterMovesOnce) {
  struct Tied : nn::Module {
    nn::Linear a{this, "a", 3, 3, nn::Linear::Bias::no};
    nn::Linear b{this, "b", 3, 3, nn::Linear::Bias::no};
    Tied() { b.weight = a.weight; }
  } model;
  nn::init::constant_(model.a.weight, 1);
  model.to(device());
  optim::AdamW optimizer(model, {.lr = 0.125, .weight_decay = 0});
  const Tensor x = from_vector(std::vector<float>(3, 1), {1, 3}, device());
  linear(model.b(model.a(x)), from_vector(std::vector<float>(3, 1), {1, 3}, device()), Tensor()).backward();
  optimizer.step();
  expect_close(model.a.weight.to_vector<float>(), std::vector<float>(9, 0.875), 1e-6, 0);
  EXPECT_EQ(model.b.weight.to_vector<float>(), model.a.weight.to_vector<float>());
}

TEST(OptimAdamW, NeedsParametersThatShareOneBlock) {
  VectorAndMatrix model(std::vector<float>(5), std::vector<float>(21));
  EXPECT_ERROR(optim::AdamW(model, {}), "AdamW: the parameters lie apart; call model.to(device) first");
  const nn::Module empty;
  EXPECT_ERROR(optim::AdamW(empty, {}), "AdamW: the model has no parameters");
}

INSTANTIATE_ON_EVERY_DEVICE(OptimAdamWTest);

}  // namespace
}  // namespace gpt2::testing
