#include "tests/common/files.h"
#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

class ViewsOpTest : public OnEveryDevice {};

void expect_agrees(Device device, const Shape& shape, const Op& op, const Oracle& oracle) {
  expect_agrees_with_oracle(device, {random_input(shape, 1)}, op, oracle);
}

TEST_P(ViewsOpTest, ViewAndTransposeAgreeWithTheOracle) {
  const auto op = [](const std::vector<Tensor>& in) {
    return in[0].view({3, 4, 5}).transpose(-1, 0).contiguous().view({-1, 2, 3}).transpose(0, 2);
  };
  const auto oracle = [](const std::vector<Values>& in) {
    const auto reversed = [](const Values& x, int64_t a, int64_t b, int64_t c) {  // (a, b, c) -> (c, b, a)
      return oracle::swap_middle(oracle::transpose(x, a, b * c), b, c, a);
    };
    return reversed(reversed(in[0], 3, 4, 5), 10, 2, 3);
  };
  expect_agrees(device(), {12, 5}, op, oracle);
}

TEST_P(ViewsOpTest, SliceAgreesWithTheOracleInEveryDimension) {
  const auto inner = [](const std::vector<Tensor>& in) { return in[0].slice(-1, 2, 3); };
  const auto outer = [](const std::vector<Tensor>& in) { return in[0].slice(0, 1, 2); };
  const auto both = [](const std::vector<Tensor>& in) {
    return in[0].slice(1, 2, 3).transpose(0, 1).slice(0, 1, 2);
  };
  const auto columns = [](const std::vector<Values>& in) { return oracle::columns(in[0], 5, 2, 3); };
  const auto rows = [](const std::vector<Values>& in) { return oracle::columns(in[0], 20, 5, 10); };
  const auto block = [](const std::vector<Values>& in) {
    return oracle::transpose(oracle::columns(in[0], 5, 3, 2), 4, 2);
  };
  expect_agrees(device(), {4, 5}, inner, columns);
  expect_agrees(device(), {4, 5}, outer, rows);
  expect_agrees(device(), {4, 5}, both, block);
}

TEST_P(ViewsOpTest, OverlappingSlicesAddTheirGradients) {
  const auto op = [](const std::vector<Tensor>& in) { return in[0].slice(1, 0, 3) + in[0].slice(1, 2, 3); };
  const auto oracle = [](const std::vector<Values>& in) {
    return oracle::add(oracle::columns(in[0], 5, 0, 3), oracle::columns(in[0], 5, 2, 3));
  };
  expect_agrees(device(), {4, 5}, op, oracle);
}

TEST_P(ViewsOpTest, SplitAgreesWithTheOracle) {
  const auto op = [](const std::vector<Tensor>& in) {
    const auto [a, b, c] = split<3>(in[0], -1);
    return matmul(a, b.transpose(0, 1)) + matmul(c, c.transpose(0, 1));
  };
  const auto oracle = [](const std::vector<Values>& in) {
    const Values a = oracle::columns(in[0], 6, 0, 2), b = oracle::columns(in[0], 6, 2, 2),
                 c = oracle::columns(in[0], 6, 4, 2);
    return oracle::add(oracle::matmul(a, oracle::transpose(b, 4, 2), 4, 2, 4),
                       oracle::matmul(c, oracle::transpose(c, 4, 2), 4, 2, 4));
  };
  expect_agrees(device(), {4, 6}, op, oracle);
}

TEST_P(ViewsOpTest, AnUnusedPartOfASplitHasGradientZero) {
  const Input x = random_input({4, 6}, 1);
  for (size_t used = 0; used < 3; ++used) {
    const auto op = [&](const std::vector<Tensor>& in) { return split(in[0], 3, 1)[used]; };
    const auto dy = uniform(8, -1, 1, 2);
    std::vector<float> expected(24, 0);
    for (size_t i = 0; i < 8; ++i) expected[i / 2 * 6 + 2 * used + i % 2] = dy[i];
    EXPECT_EQ(differentiate(device(), {x}, op, dy).gradients[0], expected);
  }
}

TEST_P(ViewsOpTest, ContiguousOfAContiguousTensorIsItself) {
  const Tensor x = empty({3, 4}, device());
  EXPECT_EQ(x.contiguous().storage(), x.storage());
  EXPECT_NE(x.transpose(0, 1).contiguous().storage(), x.storage());
  EXPECT_EQ(x.view({12}).storage(), x.storage());
}

TEST_P(ViewsOpTest, NamesWhatDoesNotFit) {
  const Tensor x = empty({4, 6}, device());
  EXPECT_ERROR(split(x, 5, 1), "split: cannot split dimension 1 of (4, 6) into 5 equal parts");
  EXPECT_ERROR(split(x, 3, 2), "dimension 2 does not exist in a tensor of shape (4, 6)");
  EXPECT_ERROR(empty({2, 2, 2, 2, 2}, device()).transpose(0, 4).contiguous(), "(2, 2, 2, 2, 2)");
}

INSTANTIATE_ON_EVERY_DEVICE(ViewsOpTest);

}  // namespace
}  // namespace gpt2::testing
