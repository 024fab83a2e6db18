#include "tests/common/files.h"
#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

class EmbeddingOpTest : public OnEveryDevice {};

const Ids kIds = {4, 0, 4, 2, 4, 3};  // one row often, one (1) never

TEST_P(EmbeddingOpTest, AgreesWithTheOracleForIdsOfAnyShape) {
  for (const Shape& shape : {Shape{6}, Shape{2, 3}, Shape{1, 3, 2}}) {
    const Tensor ids = from_vector(kIds, shape, device());
    const auto op = [&](const std::vector<Tensor>& in) { return embedding(in[0], ids); };
    const auto oracle = [](const std::vector<Values>& in) { return oracle::embedding(in[0], kIds, 7); };
    expect_agrees_with_oracle(device(), {random_input({5, 7}, 1)}, op, oracle);
    Shape expected = shape;
    expected.push_back(7);
    EXPECT_EQ(embedding(empty({5, 7}, device()), ids).shape(), expected);
  }
}

TEST_P(EmbeddingOpTest, AddsUpInATableThatIsUsedTwice) {
  const Tensor ids = from_vector(kIds, {6}, device()), positions = arange(6, device());
  const auto op = [&](const std::vector<Tensor>& in) {
    return embedding(in[0], ids) + embedding(in[0], positions);
  };
  const auto oracle = [](const std::vector<Values>& in) {
    return oracle::add(oracle::embedding(in[0], kIds, 3), oracle::embedding(in[0], {0, 1, 2, 3, 4, 5}, 3));
  };
  expect_agrees_with_oracle(device(), {random_input({6, 3}, 1)}, op, oracle);
}

// The tied matrix of GPT-2: looked up at the bottom, multiplied at the top.
TEST_P(EmbeddingOpTest, AddsToTheGradientOfALinearLayerWithTheSameMatrix) {
  const Tensor ids = from_vector(kIds, {6}, device());
  const auto op = [&](const std::vector<Tensor>& in) {
    return linear(gelu(embedding(in[0], ids)), in[0], Tensor());
  };
  const auto oracle = [](const std::vector<Values>& in) {
    return oracle::matmul(oracle::gelu(oracle::embedding(in[0], kIds, 3)), oracle::transpose(in[0], 5, 3), 6,
                          3, 5);
  };
  expect_agrees_with_oracle(device(), {random_input({5, 3}, 1)}, op, oracle);
}

TEST_P(EmbeddingOpTest, ReadsAStridedTable) {
  const Tensor ids = from_vector(kIds, {6}, device());
  const auto op = [&](const std::vector<Tensor>& in) { return embedding(in[0].transpose(0, 1), ids); };
  const auto oracle = [](const std::vector<Values>& in) {
    return oracle::embedding(oracle::transpose(in[0], 3, 5), kIds, 3);
  };
  expect_agrees_with_oracle(device(), {random_input({3, 5}, 1)}, op, oracle);
}

TEST_P(EmbeddingOpTest, ArangeCounts) {
  EXPECT_EQ(arange(5, device()).to_vector<int32_t>(), (Ids{0, 1, 2, 3, 4}));
  EXPECT_EQ(arange(1025, device()).to_vector<int32_t>().back(), 1024);
}

TEST_P(EmbeddingOpTest, NeverReadsStridedOrFloatIdsAsIfTheyWereIds) {
  const Tensor table = empty({5, 7}, device());
  const Tensor ids = from_vector(kIds, {2, 3}, device());
  EXPECT_ERROR(embedding(table, ids.slice(1, 0, 2)), "int32");
  EXPECT_ERROR(embedding(table, empty({3}, device())), "expected int32 elements, got float32");
  EXPECT_ERROR(embedding(empty({5}, device()), ids), "expected 2 dimensions, got (5)");
}

INSTANTIATE_ON_EVERY_DEVICE(EmbeddingOpTest);

}  // namespace
}  // namespace gpt2::testing
