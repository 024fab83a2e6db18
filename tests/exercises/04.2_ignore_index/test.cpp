#include "ignore_index.h"
#include "tests/exercises/tensors.h"

namespace {

// Targets of which about a third are ignored; `at_least` are kept.
Ids some_ignored(Draw& draw, int64_t rows, int64_t V, int32_t ignore_index, int64_t at_least = 1) {
  Ids targets = draw.ids(rows, V);
  for (int32_t& id : targets)
    id = id == ignore_index ? int32_t((id + 1) % V) : id;  // those that are ignored are chosen:
  for (size_t row = size_t(at_least); row < targets.size(); ++row) {
    if (draw.integer(0, 2) == 0) targets[row] = ignore_index;
  }
  return targets;
}

// The oracle drops the ignored rows and takes the mean over the rest.
double oracle_loss(const Values& logits, const Ids& targets, int32_t ignore_index) {
  const size_t V = logits.size() / targets.size();
  Values kept;
  Ids ids;
  for (size_t row = 0; row < targets.size(); ++row) {
    if (targets[row] == ignore_index) continue;
    kept.insert(kept.end(), logits.begin() + long(row * V), logits.begin() + long((row + 1) * V));
    ids.push_back(targets[row]);
  }
  return ids.empty() ? 0 : gpt2::testing::oracle::cross_entropy(kept, ids).loss;
}

// The student's loss and the gradient of 3 * loss.
std::pair<Tensor, Tensor> student_loss(const std::vector<float>& logits, const Ids& targets,
                                       int32_t ignore_index) {
  const int64_t rows = int64_t(targets.size());
  Tensor x = from_vector(logits, {rows, int64_t(logits.size()) / rows});
  x.set_requires_grad();
  const Tensor loss = cross_entropy_ignoring(x, from_vector(targets, {rows}), ignore_index);
  (loss * 3).backward();
  return {loss.detach(), x.grad()};
}

}  // namespace

CASE("loss of the kept rows") {
  for (const int32_t ignore_index : {-100, 0, 2}) {
    const int64_t rows = draw.integer(5, 40), V = draw.integer(3, 60);
    WITH("{} rows, V = {}, ignore_index = {}", rows, V, ignore_index);
    const auto logits = draw.uniform(rows * V, -6, 6);
    const Ids targets = some_ignored(draw, rows, V, ignore_index);
    const auto loss = STUDENT(student_loss(logits, targets, ignore_index).first);
    CHECK_CLOSE(loss, oracle_loss(doubles(logits), targets, ignore_index), 1e-5,
                "the loss is not the mean of -log p[target] over the kept rows");
  }
}

CASE("one of seven rows kept") {
  const int64_t V = draw.integer(10, 30);
  const auto logits = draw.uniform(7 * V, -3, 3);
  Ids targets(7, -1);
  targets[size_t(draw.integer(0, 6))] = int32_t(draw.integer(0, V - 1));
  const auto loss = STUDENT(student_loss(logits, targets, -1).first);
  CHECK(!close(loss, oracle_loss(doubles(logits), targets, -1) / 7, 1e-5),
        "you divide by all 7 rows, but 1 of them is kept: the mean is over the kept rows");
  CHECK_CLOSE(loss, oracle_loss(doubles(logits), targets, -1), 1e-5,
              "the loss is not that of the one kept row");
}

CASE("gradient") {
  for (const int32_t ignore_index : {-100, 1}) {
    const int64_t rows = draw.integer(4, 9), V = draw.integer(3, 12);
    WITH("{} rows, V = {}, ignore_index = {}", rows, V, ignore_index);
    const auto logits = draw.uniform(rows * V, -3, 3);
    const Ids targets = some_ignored(draw, rows, V, ignore_index);
    const auto gradient = STUDENT(student_loss(logits, targets, ignore_index).second);
    const auto f = [&](const Values& x) { return 3 * oracle_loss(x, targets, ignore_index); };
    CHECK(
        !close(gradient,
               gpt2::testing::finite_differences([&](const Values& x) { return f(x) / 3; }, doubles(logits)),
               1e-4),
        "the gradient is that of the loss alone: multiply it by dloss, the gradient that arrives");
    CHECK_CLOSE(gradient, gpt2::testing::finite_differences(f, doubles(logits)), 1e-4,
                "the gradient of the logits differs from finite differences of the loss");
  }
}

CASE("nothing kept") {
  const int64_t rows = draw.integer(1, 5), V = draw.integer(2, 9);
  const auto logits = draw.uniform(rows * V, -3, 3);
  const auto [loss, gradient] = STUDENT(student_loss(logits, Ids(size_t(rows), -100), -100));
  CHECK(!std::isnan(doubles(loss)[0]), "the loss of a batch without targets is NaN: 0 / 0? It is to be 0");
  CHECK_EQUAL(loss, 0.0, "the loss of a batch without targets is to be 0");
  CHECK_EQUAL(gradient, Values(size_t(rows * V)), "the gradient of a batch without targets is to be 0");
}

CASE("ignored rows have no effect") {
  const int64_t rows = 6, V = draw.integer(4, 20);
  auto logits = draw.uniform(rows * V, -3, 3);
  const Ids targets = some_ignored(draw, rows, V, -7, 5);
  Ids ids = targets;
  ids[1] = ids[4] = -7;
  for (int64_t j = 0; j < V; ++j) logits[size_t(V + j)] = INFINITY, logits[size_t(4 * V + j)] = 3e38f;
  const auto [loss, gradient] = STUDENT(student_loss(logits, ids, -7));
  const auto d = doubles(gradient);
  for (size_t i = 0; i < d.size(); ++i) {
    if (ids[i / size_t(V)] == -7)
      CHECK(d[i] == 0, "the gradient of row {}, which is ignored, is {}: it is to be exactly 0",
            i / size_t(V), d[i]);
  }
  CHECK(std::isfinite(doubles(loss)[0]), "infinite logits of an ignored row reach the loss");
}
