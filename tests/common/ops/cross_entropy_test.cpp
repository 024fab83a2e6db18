#include "tests/common/files.h"
#include "tests/common/ops/op_checks.h"

namespace gpt2::testing {
namespace {

class CrossEntropyOpTest : public OnEveryDevice {};

TEST_P(CrossEntropyOpTest, AgreesWithTheOracleForLogitsOfAnyShape) {
  const Ids targets = {0, 6, 3, 3, 1, 5};
  for (const Shape& shape : {Shape{6}, Shape{2, 3}, Shape{6, 1}}) {
    const Tensor ids = from_vector(targets, shape, device());
    Shape logits = shape;
    logits.push_back(7);
    const auto op = [&](const std::vector<Tensor>& in) { return cross_entropy(in[0], ids); };
    const auto oracle = [&](const std::vector<Values>& in) {
      return Values{oracle::cross_entropy(in[0], targets).loss};
    };
    expect_agrees_with_oracle(device(), {random_input(logits, 1, -5, 5)}, op, oracle);
    EXPECT_EQ(cross_entropy(empty(logits, device()), ids).shape(), Shape{});
  }
}

TEST_P(CrossEntropyOpTest, ReadsStridedLogits) {
  const Ids targets = {0, 4, 3};
  const Tensor ids = from_vector(targets, {3}, device());
  const auto op = [&](const std::vector<Tensor>& in) { return cross_entropy(in[0].transpose(0, 1), ids); };
  const auto oracle = [&](const std::vector<Values>& in) {
    return Values{oracle::cross_entropy(oracle::transpose(in[0], 5, 3), targets).loss};
  };
  expect_agrees_with_oracle(device(), {random_input({5, 3}, 1, -5, 5)}, op, oracle);
}

TEST_P(CrossEntropyOpTest, OfEqualLogitsIsTheLogarithmOfTheVocabulary) {
  const Tensor logits = from_vector(std::vector<float>(3 * 257, 5.0f), {3, 257}, device());
  EXPECT_NEAR(cross_entropy(logits, from_vector(Ids{0, 100, 256}, {3}, device())).item(), std::log(257.0),
              1e-6);
}

TEST_P(CrossEntropyOpTest, NamesTheShapesThatDoNotFit) {
  const Tensor logits = empty({2, 3, 7}, device());
  EXPECT_ERROR(cross_entropy(logits, arange(5, device())),
               "cross_entropy: logits are (2, 3, 7) but targets (5)");
  EXPECT_ERROR(cross_entropy(logits, empty({2, 3}, device())), "expected int32 elements, got float32");
  const Tensor targets = from_vector(Ids(8, 0), {2, 4}, device());
  EXPECT_ERROR(cross_entropy(logits, targets.slice(1, 1, 3)), "int32");
}

INSTANTIATE_ON_EVERY_DEVICE(CrossEntropyOpTest);

}  // namespace
}  // namespace gpt2::testing
