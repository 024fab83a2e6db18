#include "tests/common/files.h"
#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

class CausalMaskOpTest : public OnEveryDevice {};

Tensor mask_op(const std::vector<Tensor>& in) { return causal_mask(in[0]); }

TEST_P(CausalMaskOpTest, KeepsTheLowerTriangleAndItsGradients) {
  for (const Shape& shape : {Shape{1, 1}, Shape{5, 5}, Shape{3, 7, 7}, Shape{2, 3, 4, 4}}) {
    const int64_t T = shape.back();
    const Input x = random_input(shape, 1);
    const auto dy = uniform(numel(shape), -1, 1, 2);
    const OpResult actual = differentiate(device(), {x}, mask_op, dy);
    Values dx;  // dy where the mask lets through
    for (size_t i = 0; i < dy.size(); ++i)
      dx.push_back(int64_t(i) % T > int64_t(i) / T % T ? 0.0 : double(dy[i]));
    EXPECT_EQ(max_relative_error(actual.y, oracle::causal_mask(to_double(x.values), T)), 0)
        << to_string(shape);
    EXPECT_EQ(max_relative_error(actual.gradients[0], dx), 0) << to_string(shape);
  }
}

TEST_P(CausalMaskOpTest, UnderSoftmaxAgreesWithTheOracle) {
  const auto op = [](const std::vector<Tensor>& in) { return softmax(causal_mask(in[0].transpose(-2, -1))); };
  const auto oracle = [](const std::vector<Values>& in) {
    return oracle::softmax(oracle::causal_mask(oracle::transpose(in[0], 7, 7), 7), 7);
  };
  expect_agrees_with_oracle(device(), {random_input({3, 7, 7}, 1, -4, 4)}, op, oracle);
}

TEST_P(CausalMaskOpTest, NamesAShapeThatIsNotSquare) {
  EXPECT_ERROR(causal_mask(empty({2, 3, 4}, device())), "causal_mask: x is (2, 3, 4), expected (..., T, T)");
  EXPECT_ERROR(causal_mask(empty({3}, device())), "causal_mask: x is (3), expected (..., T, T)");
}

INSTANTIATE_ON_EVERY_DEVICE(CausalMaskOpTest);

}  // namespace
}  // namespace gpt2::testing
