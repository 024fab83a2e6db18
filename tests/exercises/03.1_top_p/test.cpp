#include "top_p.h"

#include "tests/exercises/tensors.h"

namespace {

using Sets = std::vector<std::vector<int32_t>>;

// A row of V probabilities that are multiples of 1/1024. It needs V <= 1024. sharpness 0: nearly equal.
std::vector<float> random_row(Draw& draw, int64_t V, int64_t sharpness) {
  std::vector<float> row(size_t(V), 0);
  for (int64_t i = 0; i < 1024; ++i) {
    int64_t id = draw.integer(0, V - 1);
    for (int64_t j = 0; j < sharpness; ++j) id = draw.integer(0, id);
    row[size_t(id)] += 1 / 1024.0f;
  }
  const auto order = draw.permutation(V);
  std::vector<float> shuffled(row.size());
  for (size_t i = 0; i < row.size(); ++i) shuffled[size_t(order[i])] = row[i];
  return shuffled;
}

// Rows of different sharpness.
std::vector<float> random_rows(Draw& draw, int64_t B, int64_t V) {
  std::vector<float> rows;
  for (int64_t b = 0; b < B; ++b) {
    const auto row = random_row(draw, V, b);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return rows;
}

// The ids of a row that come before `id`, and their probabilities in sum: id is kept if that is less than p.
double before(const float* row, int64_t V, int64_t id, int64_t* rank) {
  double sum = 0;
  for (int64_t other = 0; other < V; ++other) {
    if (row[other] > row[id] || (row[other] == row[id] && other < id)) sum += double(row[other]), ++*rank;
  }
  return sum;
}

// id by id, without sorting. `until`: as in the task; otherwise the token that reaches p is left out.
Sets oracle(const std::vector<float>& rows, int64_t V, double p, bool until = true) {
  Sets sets;
  for (size_t at = 0; at < rows.size(); at += size_t(V)) {
    std::vector<int32_t> kept(static_cast<size_t>(V), -1);
    for (int64_t id = 0; id < V; ++id) {
      int64_t rank = 0;
      const double sum = before(&rows[at], V, id, &rank), own = double(rows[at + size_t(id)]);
      if (own > 0 && (rank == 0 || (until ? sum < p : sum + own <= p))) kept[size_t(rank)] = int32_t(id);
    }
    kept.erase(std::find(kept.begin(), kept.end(), -1), kept.end());
    sets.push_back(kept);
  }
  return sets;
}

Sets sorted(Sets sets) {
  for (auto& set : sets) std::sort(set.begin(), set.end());
  return sets;
}

std::vector<size_t> sizes(const Sets& sets) {
  std::vector<size_t> result;
  for (const auto& set : sets) result.push_back(set.size());
  return result;
}

void check_sets(const Sets& sets, const std::vector<float>& rows, int64_t V, double p) {
  const Sets right = oracle(rows, V, p);
  CHECK(sets != oracle(rows, V, p, false) || sets == right,
        "the token whose probability makes the sum reach p is left out: keep it, or the set has less than p");
  CHECK(sizes(sets) == sizes(right), "the rows keep {} ids, expected {}", sizes(sets), sizes(right));
  CHECK(sets == right || sorted(sets) != sorted(right),
        "the kept ids are right, but the most probable must come first, "
        "and the lower id of equal ones");
  CHECK(sets == right, "the kept ids are {}, expected {}", sets, right);
}

std::vector<Tensor> draws(const std::vector<float>& rows, int64_t V, double p, uint64_t seed) {
  const Tensor probs = from_vector(rows, {int64_t(rows.size()) / V, V});
  Generator generator(seed);
  std::vector<Tensor> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(sample_top_p(probs, p, generator));
  return ids;
}

std::vector<Tensor> oracle_draws(const std::vector<float>& rows, int64_t V, double p, uint64_t seed) {
  std::vector<float> kept(rows.size());
  const Sets sets = oracle(rows, V, p);
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto& set = sets[i / size_t(V)];
    if (std::find(set.begin(), set.end(), int32_t(i % size_t(V))) != set.end()) kept[i] = rows[i];
  }
  Generator generator(seed);
  std::vector<Tensor> ids;
  for (int i = 0; i < 20; ++i)
    ids.push_back(multinomial(from_vector(kept, {int64_t(rows.size()) / V, V}), generator));
  return ids;
}

}  // namespace

CASE("kept ids") {
  for (const double p : {0.25, 0.5, 0.90625}) {
    const int64_t B = draw.integer(2, 4), V = draw.integer(20, 60);
    WITH("B = {}, V = {}, p = {}", B, V, p);
    const auto rows = random_rows(draw, B, V);
    const auto sets = STUDENT(nucleus(from_vector(rows, {B, V}), p));
    check_sets(sets, rows, V, p);
  }
}

CASE("ties") {
  const int64_t V = 16;
  std::vector<float> equal(size_t(V), 1 / 16.0f), pairs(size_t(V), 0);
  for (const int64_t id : draw.permutation(V)) {
    if (draw.integer(0, 1) == 1 && std::count(pairs.begin(), pairs.end(), 0.125f) < 8)
      pairs[size_t(id)] = 0.125f;
  }
  for (size_t id = 0; std::count(pairs.begin(), pairs.end(), 0.125f) < 8; ++id) pairs[id] = 0.125f;
  for (const auto& rows : {equal, pairs}) {
    const double p = draw.pick({0.25, 0.5, 0.75});
    WITH("V = 16, equal probabilities, p = {}", p);
    const auto sets = STUDENT(nucleus(from_vector(rows, {1, V}), p));
    check_sets(sets, rows, V, p);
  }
}

CASE("p is 1, p is tiny") {
  const int64_t V = draw.integer(20, 60);
  auto rows = random_rows(draw, 3, V);
  rows[0] += rows[1], rows[1] = 0;  // at least one probability is 0
  for (const double p : {1.0, 1e-9, 0.0}) {
    WITH("V = {}, p = {}", V, p);
    const auto sets = STUDENT(nucleus(from_vector(rows, {3, V}), p));
    for (const auto& set : sets) CHECK(!set.empty(), "a row keeps no token: nothing can be drawn from it");
    check_sets(sets, rows, V, p);
  }
}

CASE("drawn ids") {
  const int64_t V = draw.integer(20, 60), seed = draw.integer(1, 1000);
  const double p = draw.pick({0.375, 0.75});
  WITH("B = 3, V = {}, p = {}", V, p);
  const auto rows = random_rows(draw, 3, V);
  const auto ids = STUDENT(draws(rows, V, p, uint64_t(seed)));
  const auto expected = oracle_draws(rows, V, p, uint64_t(seed));
  const Sets sets = oracle(rows, V, p);
  for (size_t i = 0; i < ids.size(); ++i) {
    const Values drawn = doubles(ids[i]);
    CHECK(ids[i].shape() == (Shape{3, 1}), "the drawn ids are {}, expected (3, 1)",
          to_string(ids[i].shape()));
    for (size_t b = 0; b < 3; ++b) {
      const auto& set = sets[b];
      CHECK(std::find(set.begin(), set.end(), int32_t(drawn[b])) != set.end(),
            "draw {} of row {} is id {}, which is not in the nucleus: does the result hold ids, or places in "
            "the "
            "sorted row?",
            i, b, drawn[b]);
    }
    CHECK_EQUAL(ids[i], doubles(expected[i]),
                "draw {}: not the ids that multinomial draws from the rows (B, V) with the others set to 0",
                i);
  }
}
