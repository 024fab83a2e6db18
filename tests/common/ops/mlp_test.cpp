#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

using MlpOp = OnEveryDevice;

Tensor fused(const std::vector<Tensor>& in) { return mlp(in[0], in[1], in[2], in[3], in[4]); }

TEST_P(MlpOp, AgreesWithTheDoubleOracle) {
  const int64_t rows = 6, C = 5, hidden = 12;
  const std::vector<Input> inputs = {random_input({2, 3, C}, 1), random_input({hidden, C}, 2),
                                     random_input({hidden}, 3), random_input({C, hidden}, 4),
                                     random_input({C}, 5)};
  const auto in_double = [=](const std::vector<Values>& v) {
    const Values before =
        oracle::add(oracle::matmul(v[0], oracle::transpose(v[1], hidden, C), rows, C, hidden), v[2]);
    const Values after = oracle::gelu(before);
    return oracle::add(oracle::matmul(after, oracle::transpose(v[3], C, hidden), rows, hidden, C), v[4]);
  };
  expect_agrees_with_oracle(device(), inputs, fused, in_double);
}

// As the model was written before 07: the same sums, rounded at the same places.
TEST_P(MlpOp, IsLinearGeluLinear) {
  const std::vector<Input> inputs = {random_input({2, 17, 32}, 1), random_input({128, 32}, 2),
                                     random_input({128}, 3), random_input({32, 128}, 4),
                                     random_input({32}, 5)};
  const auto apart = [](const std::vector<Tensor>& in) {
    return linear(gelu(linear(in[0], in[1], in[2])), in[3], in[4]);
  };
  const std::vector<float> dy = uniform(2 * 17 * 32, -1, 1);
  const OpResult expected = differentiate(device(), inputs, apart, dy);
  const OpResult actual = differentiate(device(), inputs, fused, dy);
  EXPECT_LE(max_relative_error(actual.y, expected.y), 1e-6);
  for (size_t i = 0; i < inputs.size(); ++i)
    EXPECT_LE(max_relative_error(actual.gradients[i], expected.gradients[i]), 1e-5) << i;
}

TEST_P(MlpOp, NamesTheShapesThatDoNotFit) {
  const Tensor x = empty({2, 4}, device()), w = empty({8, 5}, device()), b = empty({8}, device());
  EXPECT_THROW(mlp(x, w, b, w, b), Error);
}

INSTANTIATE_ON_EVERY_DEVICE(MlpOp);

}  // namespace
}  // namespace gpt2::testing
