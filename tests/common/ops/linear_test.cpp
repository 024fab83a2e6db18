#include "tests/common/files.h"
#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

class LinearOpTest : public OnEveryDevice {};

// Input 0 is x (rows, in), 1 the weight (out, in), 2 the bias, if there is one.
Oracle linear_oracle(int64_t in, int64_t out) {
  return [in, out](const std::vector<Values>& inputs) {
    const int64_t rows = int64_t(inputs[0].size()) / in;
    const Values y = oracle::matmul(inputs[0], oracle::transpose(inputs[1], out, in), rows, in, out);
    return inputs.size() == 3 ? oracle::add(y, inputs[2]) : y;
  };
}

Tensor linear_op(const std::vector<Tensor>& in) {
  return linear(in[0], in[1], in.size() == 3 ? in[2] : Tensor());
}

TEST_P(LinearOpTest, AgreesWithTheOracleWithAndWithoutBias) {
  for (const Shape& shape : {Shape{5}, Shape{1, 5}, Shape{7, 5}, Shape{2, 3, 5}, Shape{2, 1, 3, 1}}) {
    for (const int64_t out : {1, 4, 9}) {
      const int64_t in = shape.back();
      std::vector<Input> inputs = {random_input(shape, 1), random_input({out, in}, 2)};
      expect_agrees_with_oracle(device(), inputs, linear_op, linear_oracle(in, out));
      inputs.push_back(random_input({out}, 3));
      expect_agrees_with_oracle(device(), inputs, linear_op, linear_oracle(in, out));
    }
  }
}

// Large enough for what blocks and tiles a product; the gradients are the formulas dy W, dy^T x, and a sum.
TEST_P(LinearOpTest, AgreesWithTheOracleInOddLargeShapes) {
  const int64_t rows = 33, in = 129, out = 65;
  const std::vector<Input> inputs = {random_input({3, 11, in}, 1), random_input({out, in}, 2),
                                     random_input({out}, 3)};
  const auto dy = uniform(rows * out, -1, 1, 4);
  const OpResult actual = differentiate(device(), inputs, linear_op, dy);
  const Values x = to_double(inputs[0].values), weight = to_double(inputs[1].values), g = to_double(dy);
  EXPECT_LE(max_relative_error(actual.y, linear_oracle(in, out)({x, weight, to_double(inputs[2].values)})),
            2e-6);
  EXPECT_LE(max_relative_error(actual.gradients[0], oracle::matmul(g, weight, rows, out, in)), 2e-6);
  const Values dweight = oracle::matmul(oracle::transpose(g, rows, out), x, out, rows, in);
  EXPECT_LE(max_relative_error(actual.gradients[1], dweight), 2e-6);
  EXPECT_LE(max_relative_error(actual.gradients[2], oracle::sum_rows(g, out)), 2e-6);
}

TEST_P(LinearOpTest, ReadsStridedViewsAndGradients) {
  const auto op = [](const std::vector<Tensor>& in) {
    return linear(in[0].transpose(0, 1), in[1].transpose(0, 1), in[2].slice(1, 1, 1).view({-1}))
        .transpose(0, 1);
  };
  const auto oracle = [](const std::vector<Values>& in) {  // x^T (7, 5), weight^T (4, 5), a column (4)
    const Values x = oracle::transpose(in[0], 5, 7), weight = oracle::transpose(in[1], 5, 4);
    return oracle::transpose(linear_oracle(5, 4)({x, weight, oracle::columns(in[2], 3, 1, 1)}), 7, 4);
  };
  const std::vector<Input> inputs = {random_input({5, 7}, 1), random_input({5, 4}, 2),
                                     random_input({4, 3}, 3)};
  expect_agrees_with_oracle(device(), inputs, op, oracle);
}

TEST_P(LinearOpTest, NamesTheShapesThatDoNotFit) {
  const auto tensor = [&](const Shape& shape) { return empty(shape, device()); };
  EXPECT_ERROR(linear(tensor({2, 5}), tensor({4, 6}), Tensor()), "linear: x is (2, 5) but weight is (4, 6)");
  EXPECT_ERROR(linear(tensor({2, 5}), tensor({4, 5}), tensor({5})),
               "linear: x is (2, 5) but weight is (4, 5) and bias (5)");
  EXPECT_ERROR(linear(tensor({2, 5}), tensor({5}), Tensor()), "expected 2 dimensions, got (5)");
}

INSTANTIATE_ON_EVERY_DEVICE(LinearOpTest);

}  // namespace
}  // namespace gpt2::testing
