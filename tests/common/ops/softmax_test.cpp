#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

class SoftmaxOpTest : public OnEveryDevice {};

Tensor softmax_op(const std::vector<Tensor>& in) { return softmax(in[0]); }

TEST_P(SoftmaxOpTest, AgreesWithTheOracleOverTheLastDimension) {
  for (const Shape& shape : {Shape{7}, Shape{3, 2}, Shape{5, 33}, Shape{2, 3, 1, 7}}) {
    const auto oracle = [cols = shape.back()](const std::vector<Values>& in) {
      return oracle::softmax(in[0], cols);
    };
    expect_agrees_with_oracle(device(), {random_input(shape, 1, -4, 4)}, softmax_op, oracle);
  }
}

TEST_P(SoftmaxOpTest, ReadsStridedViews) {
  const auto op = [](const std::vector<Tensor>& in) { return softmax(in[0].transpose(0, 1)); };
  const auto oracle = [](const std::vector<Values>& in) {
    return oracle::softmax(oracle::transpose(in[0], 5, 7), 5);
  };
  expect_agrees_with_oracle(device(), {random_input({5, 7}, 1, -4, 4)}, op, oracle);
}

TEST_P(SoftmaxOpTest, TakesAStridedGradient) {
  const auto op = [](const std::vector<Tensor>& in) { return softmax(in[0]).transpose(0, 1); };
  const auto oracle = [](const std::vector<Values>& in) {
    return oracle::transpose(oracle::softmax(in[0], 7), 5, 7);
  };
  expect_agrees_with_oracle(device(), {random_input({5, 7}, 1, -4, 4)}, op, oracle);
}

INSTANTIATE_ON_EVERY_DEVICE(SoftmaxOpTest);

}  // namespace
}  // namespace gpt2::testing
