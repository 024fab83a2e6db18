#include "bigram.h"

#include <set>

#include "common/optim/adamw.h"
#include "common/tales/tales.h"
#include "tests/exercises/tensors.h"

namespace {

// A model whose table holds these logits.
struct Filled {
  Bigram model;
  Filled(const std::vector<float>& logits, int64_t V) : model(V) {
    copy_(model.table.weight.detach(), from_vector(logits, {V, V}));
  }
};

// A text as ids 0 ... V - 1 of the characters that occur in it.
struct Text {
  Ids ids;
  int64_t V;
};

Text random_text(Draw& draw, size_t length) {
  const std::string text = tales(length, uint64_t(draw.integer(1, 1'000'000)));
  const std::set<char> characters(text.begin(), text.end());
  Ids ids;
  for (const char c : text) ids.push_back(int32_t(std::distance(characters.begin(), characters.find(c))));
  return {ids, int64_t(characters.size())};
}

// The mean of -log(count(a, b) / count(a)) over all pairs.
double bigram_entropy(const Text& text) {
  const size_t V = size_t(text.V), pairs = text.ids.size() - 1;
  Values count(V * V), first(V);
  for (size_t i = 0; i < pairs; ++i) {
    count[size_t(text.ids[i]) * V + size_t(text.ids[i + 1])] += 1;
    first[size_t(text.ids[i])] += 1;
  }
  double sum = 0;
  for (size_t i = 0; i < V * V; ++i) {
    if (count[i] > 0) sum -= count[i] * std::log(count[i] / first[i / V]);
  }
  return sum / double(pairs);
}

// The loss after training on the text.
float trained_loss(const Text& text) {
  constexpr int kSteps = 200;
  Bigram model(text.V);
  model.to(kCpu);
  optim::AdamW optimizer(model, {.weight_decay = 0});
  const Tensor ids = from_vector(text.ids, {int64_t(text.ids.size())});
  for (int step = 0; step < kSteps; ++step) {
    optimizer.zero_grad();
    model.loss(ids).backward();
    optimizer.set_lr(0.3 * double(kSteps - step) / kSteps);
    optimizer.step();
  }
  return model.loss(ids).item();
}

// Oracle: the mean cross entropy of `next` predicted from `last`.
double oracle_loss(const std::vector<float>& logits, int64_t V, const Ids& last, const Ids& next) {
  return gpt2::testing::oracle::cross_entropy(gpt2::testing::oracle::embedding(doubles(logits), last, V),
                                              next)
      .loss;
}

}  // namespace

CASE("one table") {
  for (const int64_t V : {int64_t{1}, draw.integer(20, 90)}) {
    WITH("V = {}", V);
    const auto parameters = STUDENT(Bigram(V).num_parameters());
    CHECK(parameters == V * V, "the model has {} parameters; a row of V logits for each of V ids makes {}",
          parameters, V * V);
  }
}

CASE("logits") {
  const int64_t V = draw.integer(5, 30), B = draw.integer(2, 4), T = draw.integer(1, 9);
  const auto logits = draw.normal(V * V);
  const Ids ids = draw.ids(B * T, V);
  const auto y = STUDENT(Filled(logits, V).model(from_vector(ids, {B, T})));
  CHECK(y.shape() == (Shape{B, T, V}), "ids of shape ({}, {}) gave logits {}, expected ({}, {}, {})", B, T,
        to_string(y.shape()), B, T, V);
  CHECK_EQUAL(y, gpt2::testing::oracle::embedding(doubles(logits), ids, V),
              "the logits are not the rows of the table");
}

CASE("loss of the next id") {
  for (const int64_t N : {int64_t{2}, draw.integer(3, 60)}) {
    const int64_t V = draw.integer(5, 30);
    WITH("N = {}, V = {}", N, V);
    const auto logits = draw.uniform(V * V, -4, 4);
    const Ids ids = draw.ids(N, V), last(ids.begin(), ids.end() - 1), next(ids.begin() + 1, ids.end());
    const auto loss = STUDENT(Filled(logits, V).model.loss(from_vector(ids, {N})).detach());
    CHECK(!close(loss, oracle_loss(logits, V, ids, ids), 1e-6) &&
              !close(loss, oracle_loss(logits, V, last, last), 1e-6),
          "you compare each id with itself: the target of position t is the id at t + 1");
    CHECK(!close(loss, oracle_loss(logits, V, next, last), 1e-6),
          "you predict the id before: inputs are all ids but the last, targets all but the first");
    CHECK_CLOSE(loss, oracle_loss(logits, V, last, next), 1e-5,
                "the loss is not the mean of -log p[next] over the N - 1 predictions");
  }
}

CASE("trained on a new text") {
  const Text text = random_text(draw, 20'000);
  const auto loss = STUDENT(trained_loss(text));
  CHECK(
      loss > bigram_entropy(text) - 0.02,
      "the loss after training is {:.3f}; the bigram entropy of the text is {:.3f}, and no table is better: "
      "are the targets the ids that follow?",
      loss, bigram_entropy(text));
  CHECK(loss < bigram_entropy(text) + 0.02,
        "the loss after training is {:.3f}; the bigram entropy of the text is {:.3f}", loss,
        bigram_entropy(text));
}
