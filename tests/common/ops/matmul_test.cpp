#include "tests/common/files.h"
#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

class MatmulOpTest : public OnEveryDevice {};

struct Case {
  Shape batch;
  int64_t M, K, N;
};
const Case kCases[] = {{{}, 1, 1, 1},     {{}, 1, 5, 3},    {{}, 4, 1, 3},     {{}, 4, 5, 1},
                       {{}, 4, 5, 3},     {{3}, 4, 5, 3},   {{2, 3}, 4, 5, 3}, {{2, 3}, 1, 5, 1},
                       {{1, 3}, 4, 1, 1}, {{2, 1}, 1, 1, 4}};

Shape with(const Shape& batch, int64_t rows, int64_t cols) {
  Shape shape = batch;
  shape.insert(shape.end(), {rows, cols});
  return shape;
}

TEST_P(MatmulOpTest, AgreesWithTheOracleWhicheverOperandIsTransposed) {
  for (const Case& c : kCases) {
    for (const bool a_transposed : {false, true}) {
      for (const bool b_transposed : {false, true}) {
        const auto op = [=](const std::vector<Tensor>& in) {
          return matmul(a_transposed ? in[0].transpose(-2, -1) : in[0],
                        b_transposed ? in[1].transpose(-1, -2) : in[1]);
        };
        const auto oracle = [=](const std::vector<Values>& in) {
          return oracle::matmul(a_transposed ? oracle::transpose(in[0], c.K, c.M) : in[0],
                                b_transposed ? oracle::transpose(in[1], c.N, c.K) : in[1], c.M, c.K, c.N);
        };
        const Shape a = a_transposed ? with(c.batch, c.K, c.M) : with(c.batch, c.M, c.K);
        const Shape b = b_transposed ? with(c.batch, c.N, c.K) : with(c.batch, c.K, c.N);
        expect_agrees_with_oracle(device(), {random_input(a, 1), random_input(b, 2)}, op, oracle);
      }
    }
  }
}

TEST_P(MatmulOpTest, CopiesAnOperandInWhichNeitherRowsNorColumnsLieSideBySide) {
  const auto op = [](const std::vector<Tensor>& in) {
    return matmul(in[0].transpose(0, 2), in[1].transpose(0, 1));
  };
  const auto oracle = [](const std::vector<Values>& in) {
    // (K, M, B) -> (B, M, K), step by step; (K, B, N) -> (B, K, N)
    const Values a = oracle::swap_middle(oracle::transpose(in[0], 5, 4 * 2), 4, 2, 5);
    return oracle::matmul(a, oracle::swap_middle(in[1], 5, 2, 3), 4, 5, 3);
  };
  expect_agrees_with_oracle(device(), {random_input({5, 4, 2}, 1), random_input({5, 2, 3}, 2)}, op, oracle);
}

TEST_P(MatmulOpTest, OfATensorAndItselfAddsBothGradients) {
  const auto op = [](const std::vector<Tensor>& in) { return matmul(in[0], in[0].transpose(0, 1)); };
  const auto oracle = [](const std::vector<Values>& in) {
    return oracle::matmul(in[0], oracle::transpose(in[0], 4, 5), 4, 5, 4);
  };
  expect_agrees_with_oracle(device(), {random_input({4, 5}, 1)}, op, oracle);
}

struct Heads {
  int64_t B, T, nh, hs;
  int64_t C() const { return nh * hs; }
};

// (B, T, 3C) to the heads (B, nh, T, hs) of its third number `which`.
Values head_values(const Values& qkv, int64_t which, const Heads& d) {
  return oracle::swap_middle(oracle::columns(qkv, 3 * d.C(), which * d.C(), d.C()), d.T, d.nh, d.hs);
}

std::array<Tensor, 3> heads_of(const Tensor& qkv, const Heads& d) {
  auto [q, k, v] = split<3>(qkv, 2);
  const Shape shape = {d.B, d.T, d.nh, d.hs};
  return {q.view(shape).transpose(1, 2), k.view(shape).transpose(1, 2), v.view(shape).transpose(1, 2)};
}

const Heads kHeads[] = {{2, 5, 3, 4}, {1, 1, 2, 3}, {2, 3, 1, 5}, {2, 4, 3, 1}};

TEST_P(MatmulOpTest, ReadsQAndKAsViewsOfAPackedBuffer) {
  for (const Heads& d : kHeads) {
    const auto op = [&](const std::vector<Tensor>& in) {
      const auto [q, k, v] = heads_of(in[0], d);
      return matmul(q, k.transpose(-2, -1));
    };
    const auto oracle = [&](const std::vector<Values>& in) {
      const Values q = head_values(in[0], 0, d), k = head_values(in[0], 1, d);
      return oracle::matmul(q, oracle::transpose(k, d.T, d.hs), d.T, d.hs, d.T);
    };
    expect_agrees_with_oracle(device(), {random_input({d.B, d.T, 3 * d.C()}, 1)}, op, oracle);
  }
}

TEST_P(MatmulOpTest, ReadsVAsAViewOfAPackedBuffer) {
  for (const Heads& d : kHeads) {
    const auto op = [&](const std::vector<Tensor>& in) { return matmul(in[0], heads_of(in[1], d)[2]); };
    const auto oracle = [&](const std::vector<Values>& in) {
      return oracle::matmul(in[0], head_values(in[1], 2, d), d.T, d.T, d.hs);
    };
    const std::vector<Input> inputs = {random_input({d.B, d.nh, d.T, d.T}, 1),
                                       random_input({d.B, d.T, 3 * d.C()}, 2)};
    expect_agrees_with_oracle(device(), inputs, op, oracle);
  }
}

TEST_P(MatmulOpTest, InCausalSelfAttentionAgreesWithTheOracle) {
  for (const Heads& d : kHeads) {
    const double scale = 1 / std::sqrt(double(d.hs));
    const auto op = [&](const std::vector<Tensor>& in) {
      const auto [q, k, v] = heads_of(in[0], d);
      const Tensor att = softmax(causal_mask(matmul(q, k.transpose(-2, -1)) * scale));
      return matmul(att, v).transpose(1, 2).contiguous().view({d.B, d.T, d.C()});
    };
    const auto oracle = [&](const std::vector<Values>& in) {
      const Values q = head_values(in[0], 0, d), k = head_values(in[0], 1, d), v = head_values(in[0], 2, d);
      const Values scores = oracle::matmul(q, oracle::transpose(k, d.T, d.hs), d.T, d.hs, d.T);
      const Values att = oracle::softmax(oracle::causal_mask(oracle::scale(scores, scale), d.T), d.T);
      return oracle::swap_middle(oracle::matmul(att, v, d.T, d.T, d.hs), d.nh, d.T, d.hs);
    };
    expect_agrees_with_oracle(device(), {random_input({d.B, d.T, 3 * d.C()}, 1, -2, 2)}, op, oracle);
  }
}

// What makes the packed buffer cheap: the heads' gradients have the strides that turn back into it as views.
TEST_P(MatmulOpTest, GivesAViewAGradientThatLiesInMemoryAsTheViewDoes) {
  const Heads d{2, 5, 3, 4};
  Tensor x = empty({d.B, d.T, d.C()}, device());
  x.set_requires_grad();
  const Tensor k = x.view({d.B, d.T, d.nh, d.hs}).transpose(1, 2);
  const Tensor y = matmul(empty({d.B, d.nh, d.T, d.hs}, device()), k.transpose(-2, -1));
  weighted_sum(y, uniform(y.numel(), -1, 1)).backward();
  EXPECT_EQ(x.grad().shape(), x.shape());
  EXPECT_TRUE(x.grad().is_contiguous());
}

TEST_P(MatmulOpTest, NamesTheShapesThatDoNotFit) {
  const auto tensor = [&](const Shape& shape) { return empty(shape, device()); };
  EXPECT_ERROR(matmul(tensor({2, 3}), tensor({4, 5})), "matmul: a is (2, 3) but b is (4, 5)");
  EXPECT_ERROR(matmul(tensor({2, 3, 4}), tensor({3, 4, 5})), "matmul: a is (2, 3, 4) but b is (3, 4, 5)");
  EXPECT_ERROR(matmul(tensor({2, 3, 4}), tensor({4, 5})), "matmul: a is (2, 3, 4) but b is (4, 5)");
  EXPECT_ERROR(matmul(tensor({3}), tensor({3})), "matmul: a is (3) but b is (3)");
  EXPECT_ERROR(matmul(tensor({1, 1, 1, 2, 3}), tensor({1, 1, 1, 3, 2})), "matmul: a is (1, 1, 1, 2, 3)");
}

INSTANTIATE_ON_EVERY_DEVICE(MatmulOpTest);

}  // namespace
}  // namespace gpt2::testing
