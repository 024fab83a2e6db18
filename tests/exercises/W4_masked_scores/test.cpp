#include "masked_scores.h"

#include "tests/exercises/tensors.h"

namespace {

bool visible(int64_t t, int64_t s, int64_t prefix) { return s <= t || s < prefix; }

// exp(score) over the sum of exp(score) of what is visible, position by position.
Values oracle(const Values& scores, int64_t T, int64_t prefix) {
  Values weights;
  for (int64_t i = 0; i < T * T; ++i) {
    const int64_t t = i / T, s = i % T;
    double sum = 0;
    for (int64_t other = 0; other < T; ++other) {
      if (visible(t, other, prefix)) sum += std::exp(scores[size_t(t * T + other)]);
    }
    weights.push_back(visible(t, s, prefix) ? std::exp(scores[size_t(i)]) / sum : 0);
  }
  return weights;
}

// The scores of hidden positions are taken to be 0.
Values zero_scores(Values scores, int64_t T, int64_t prefix) {
  for (int64_t i = 0; i < T * T; ++i) {
    if (!visible(i / T, i % T, prefix)) scores[size_t(i)] = 0;
  }
  return oracle(scores, T, T);
}

}  // namespace

CASE("zeros give the mean") {
  for (const int64_t T : {int64_t{1}, int64_t{7}, draw.integer(2, 40)}) {
    WITH("T = {}, all scores 0, no prefix", T);
    const auto weights = STUDENT(past_weights(zeros({T, T}), 0));
    CHECK(T == 1 || !close(weights, Values(size_t(T * T), 1 / double(T)), 1e-6),
          "all entries are 1 / T: nothing is hidden");
    CHECK_CLOSE(weights, oracle(Values(size_t(T * T)), T, 0), 1e-6,
                "the matrix is not W3's, with 1 / (t + 1) up to the diagonal");
  }
}

CASE("rows sum to one") {
  const int64_t T = draw.integer(6, 40), prefix = draw.integer(2, 5);
  WITH("T = {}, prefix = {}", T, prefix);
  const auto scores = draw.uniform(T * T, -3, 3);
  const auto weights = doubles(STUDENT(past_weights(from_vector(scores, {T, T}), prefix)));
  CHECK(int64_t(weights.size()) == T * T, "the result has {} values, expected T * T", weights.size());
  for (int64_t t = 0; t < T; ++t) {
    double sum = 0, hidden = 0;
    for (int64_t s = 0; s < T; ++s) {
      sum += weights[size_t(t * T + s)];
      if (!visible(t, s, prefix)) hidden = std::max(hidden, std::abs(weights[size_t(t * T + s)]));
    }
    CHECK(
        std::abs(sum - 1) <= 1e-5,
        "row {} sums to {:.4f}: hide positions before the softmax, so that it divides by the sum of what is "
        "left",
        t, sum);
    CHECK(hidden == 0, "row {} has weight {:.4f} at a position that it may not see", t, hidden);
  }
}

CASE("scores") {
  for (const int64_t prefix : {int64_t{0}, int64_t{1}, draw.integer(2, 5)}) {
    const int64_t T = draw.integer(6, 40);
    WITH("T = {}, prefix = {}", T, prefix);
    const auto scores = draw.uniform(T * T, -3, 3);
    const auto weights = STUDENT(past_weights(from_vector(scores, {T, T}), prefix));
    CHECK(!close(weights, zero_scores(doubles(scores), T, prefix), 1e-5),
          "hidden positions have weight: their score is 0, but exp(0) is 1. Which score has exp(score) = 0?");
    CHECK(prefix < 2 || !close(weights, oracle(doubles(scores), T, 0), 1e-5),
          "this is the causal mask: the first {} positions may see one another", prefix);
    CHECK_CLOSE(weights, oracle(doubles(scores), T, prefix), 1e-5,
                "the weights are not the softmax over the visible positions");
  }
}

CASE("the prompt sees itself") {
  const int64_t T = draw.integer(6, 20);
  for (const int64_t prefix : {int64_t{2}, T - 1, T}) {
    WITH("T = {}, prefix = {}", T, prefix);
    const auto scores = draw.uniform(T * T, -3, 3);
    const auto weights = STUDENT(past_weights(from_vector(scores, {T, T}), prefix));
    const double first = doubles(weights).at(1);
    CHECK(first > 0, "position 0 does not see position 1, which belongs to the prompt as well");
    CHECK_CLOSE(weights, oracle(doubles(scores), T, prefix), 1e-5,
                "the weights are not the softmax over the visible positions");
  }
}

CASE("gradient") {
  const int64_t T = draw.integer(4, 7), prefix = draw.integer(2, 3);
  WITH("T = {}, prefix = {}", T, prefix);
  const auto scores = draw.uniform(T * T, -2, 2), dy = draw.uniform(T * T, -1, 1);
  const auto gradient = STUDENT(gradients(
      [&](const std::vector<Tensor>& leaf) {
        return matmul(past_weights(leaf[0], prefix).view({1, T * T}), from_vector(dy, {T * T, 1}));
      },
      {from_vector(scores, {T, T})})[0]);
  CHECK(gradient.defined(), "no gradient reaches the scores: add a mask to them, do not copy their values");
  const auto f = [&](const Values& at) { return gpt2::testing::dot(oracle(at, T, prefix), doubles(dy)); };
  CHECK_CLOSE(gradient, gpt2::testing::finite_differences(f, doubles(scores)), 1e-4,
              "the gradient of the scores differs from finite differences");
}
