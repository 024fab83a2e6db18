#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

class GeluOpTest : public OnEveryDevice {};

Values gelu_oracle(const std::vector<Values>& in) { return oracle::gelu(in[0]); }

TEST_P(GeluOpTest, AgreesWithTheOracleInAnyShape) {
  for (const Shape& shape : {Shape{1}, Shape{7}, Shape{3, 5}, Shape{2, 3, 1, 7}}) {
    const auto op = [](const std::vector<Tensor>& in) { return gelu(in[0]); };
    expect_agrees_with_oracle(device(), {random_input(shape, 1, -4, 4)}, op, gelu_oracle);
  }
}

TEST_P(GeluOpTest, ReadsStridedViews) {
  const auto op = [](const std::vector<Tensor>& in) { return gelu(in[0].transpose(0, 1)); };
  const auto transposed = [](const std::vector<Values>& in) {
    return oracle::gelu(oracle::transpose(in[0], 5, 7));
  };
  expect_agrees_with_oracle(device(), {random_input({5, 7}, 1, -4, 4)}, op, transposed);
}

// Downstream of gelu lies a transposition: the gradient that comes back is no contiguous tensor.
TEST_P(GeluOpTest, TakesAStridedGradient) {
  const auto op = [](const std::vector<Tensor>& in) { return gelu(in[0]).transpose(0, 1); };
  const auto transposed = [](const std::vector<Values>& in) {
    return oracle::transpose(oracle::gelu(in[0]), 5, 7);
  };
  expect_agrees_with_oracle(device(), {random_input({5, 7}, 1, -4, 4)}, op, transposed);
}

INSTANTIATE_ON_EVERY_DEVICE(GeluOpTest);

}  // namespace
}  // namespace gpt2::testing
