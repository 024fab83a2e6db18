#include "tests/common/files.h"
#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

class ArithmeticTest : public OnEveryDevice {};

Tensor add_op(const std::vector<Tensor>& in) { return in[0] + in[1]; }
Values add_oracle(const std::vector<Values>& in) { return oracle::add(in[0], in[1]); }

TEST_P(ArithmeticTest, AddAgreesWithTheOracleWhateverIsRepeated) {
  for (const Shape& a : {Shape{7}, Shape{3, 5}, Shape{1, 3, 5}, Shape{2, 3, 7}, Shape{2, 3, 1, 5}}) {
    for (size_t leading = 0; leading <= a.size();
         ++leading) {  // b has the last dimensions of a: all, ..., none
      const Shape b(a.begin() + int64_t(leading), a.end());
      expect_agrees_with_oracle(device(), {random_input(a, 1), random_input(b, 2)}, add_op, add_oracle);
    }
  }
}

TEST_P(ArithmeticTest, AddReadsStridedViews) {
  const auto op = [](const std::vector<Tensor>& in) { return in[0].transpose(0, 1) + in[1].transpose(0, 1); };
  const auto oracle = [](const std::vector<Values>& in) {
    return oracle::add(oracle::transpose(in[0], 5, 3), oracle::transpose(in[1], 5, 3));
  };
  expect_agrees_with_oracle(device(), {random_input({5, 3}, 1), random_input({5, 3}, 2)}, op, oracle);
  const auto repeated = [](const std::vector<Tensor>& in) { return in[0] + in[1].transpose(0, 1); };
  const auto repeated_oracle = [](const std::vector<Values>& in) {
    return oracle::add(in[0], oracle::transpose(in[1], 5, 3));
  };
  expect_agrees_with_oracle(device(), {random_input({2, 3, 5}, 1), random_input({5, 3}, 2)}, repeated,
                            repeated_oracle);
}

TEST_P(ArithmeticTest, ATensorPlusItselfHasTwiceTheGradient) {
  const auto op = [](const std::vector<Tensor>& in) { return in[0] + in[0]; };
  const auto oracle = [](const std::vector<Values>& in) { return oracle::scale(in[0], 2); };
  expect_agrees_with_oracle(device(), {random_input({3, 5}, 1)}, op, oracle);
}

TEST_P(ArithmeticTest, ScaleAndDivideAgreeWithTheOracle) {
  for (const double factor : {2.0, -0.37, 1e-3, 0.125}) {
    const auto scaled = [&](const std::vector<Values>& in) { return oracle::scale(in[0], factor); };
    const auto divided = [&](const std::vector<Values>& in) { return oracle::scale(in[0], 1 / factor); };
    const std::vector<Input> inputs = {random_input({3, 7}, 1)};
    expect_agrees_with_oracle(
        device(), inputs, [&](const auto& in) { return in[0] * factor; }, scaled);
    expect_agrees_with_oracle(
        device(), inputs, [&](const auto& in) { return in[0] / factor; }, divided);
    const auto transposed = [&](const std::vector<Values>& in) {
      return scaled({oracle::transpose(in[0], 3, 7)});
    };
    expect_agrees_with_oracle(
        device(), inputs, [&](const auto& in) { return in[0].transpose(0, 1) * factor; }, transposed);
  }
}

TEST_P(ArithmeticTest, AddNamesTheShapesItCannotAdd) {
  const auto tensor = [&](const Shape& shape) { return empty(shape, device()); };
  EXPECT_ERROR(tensor({4, 32, 768}) + tensor({4, 32, 3072}), "add: a is (4, 32, 768) but b is (4, 32, 3072)");
  EXPECT_ERROR(tensor({5}) + tensor({3, 5}), "add: a is (5) but b is (3, 5)");
  EXPECT_ERROR(tensor({3, 5}) + tensor({3}), "add: a is (3, 5) but b is (3)");
  EXPECT_ERROR(tensor({3, 5}) + tensor({3, 1}), "add: a is (3, 5) but b is (3, 1)");
}

INSTANTIATE_ON_EVERY_DEVICE(ArithmeticTest);

}  // namespace
}  // namespace gpt2::testing
