#include "gumbel.h"

#include "tests/exercises/tensors.h"

namespace {

Tensor drawn(const std::vector<float>& logits, int64_t V, double temperature, uint64_t seed) {
  Generator generator(seed);
  return sample(from_vector(logits, {int64_t(logits.size()) / V, V}), temperature, generator);
}

// Rows that are all equal.
std::vector<float> repeated(const std::vector<float>& row, int64_t times) {
  std::vector<float> rows;
  for (int64_t i = 0; i < times; ++i) rows.insert(rows.end(), row.begin(), row.end());
  return rows;
}

// The probabilities of a row, shifted so that nothing overflows.
Values probabilities(const float* row, int64_t V, double temperature) {
  const double largest = *std::max_element(row, row + V);
  Values p;
  for (int64_t i = 0; i < V; ++i) p.push_back(std::exp((double(row[i]) - largest) / temperature));
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& value : p) value /= sum;
  return p;
}

// As torch's multinomial: the largest p / q.
Values oracle(const std::vector<float>& logits, int64_t V, double temperature, uint64_t seed) {
  Generator generator(seed);
  std::vector<float> q(logits.size());
  generator.exponential(q);
  Values ids;
  for (size_t row = 0; row < logits.size(); row += size_t(V)) {
    Values p = probabilities(&logits[row], V, temperature);
    for (size_t i = 0; i < p.size(); ++i) p[i] /= double(q[row + i]);
    ids.push_back(double(std::max_element(p.begin(), p.end()) - p.begin()));
  }
  return ids;
}

Values argmax(const std::vector<float>& logits, int64_t V) {
  Values ids;
  for (auto row = logits.begin(); row != logits.end(); row += V)
    ids.push_back(double(std::max_element(row, row + V) - row));
  return ids;
}

// How far the counts are from n p: sum (count - n p)^2 / (n p), about as large as the number of ids.
double chi_squared(const Values& ids, const Values& p) {
  Values counts(p.size());
  for (const double id : ids) ++counts.at(size_t(id));
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double expected = p[i] * double(ids.size());
    sum += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  return sum;
}

bool in_range(const Values& ids, int64_t V) {
  return std::all_of(ids.begin(), ids.end(), [V](double id) { return 0 <= id && id < double(V); });
}

}  // namespace

CASE("ids of the generator") {
  for (const double temperature : {1.0, 0.7, 2.0}) {
    const int64_t B = draw.integer(20, 40), V = draw.integer(5, 50);
    const uint64_t seed = uint64_t(draw.integer(1, 10000));
    WITH("B = {}, V = {}, temperature {}", B, V, temperature);
    const auto logits = draw.normal(B * V, 0, 2);
    const auto ids = STUDENT(drawn(logits, V, temperature, seed));
    CHECK(ids.shape() == (Shape{B, 1}), "the ids are {}, expected (B, 1)", to_string(ids.shape()));
    CHECK(doubles(ids) != argmax(logits, V), "these are the most probable ids: nothing is drawn");
    CHECK(temperature == 1 || doubles(ids) != oracle(logits, V, 1, seed),
          "the temperature has no effect: divide the logits by it, and not the sum of logit and noise");
    CHECK_EQUAL(ids, oracle(logits, V, temperature, seed),
                "not the ids of these exponential numbers, one for each logit, row by row; value i is row i");
  }
}

CASE("frequencies") {
  const int64_t V = 8, n = 20000;
  for (const double temperature : {1.0, 0.5, 3.0}) {
    const auto row = draw.uniform(V, -2, 2);
    const uint64_t seed = uint64_t(draw.integer(1, 10000));
    WITH("{} draws, temperature {}", n, temperature);
    const Values ids = doubles(STUDENT(drawn(repeated(row, n), V, temperature, seed)));
    CHECK(ids.size() == size_t(n) && in_range(ids, V), "not {} ids from 0 to {}", n, V - 1);
    CHECK(chi_squared(ids, Values(size_t(V), 1.0 / double(V))) > 50,
          "all ids are equally frequent: the logits have no effect");
    CHECK(temperature == 1 || chi_squared(ids, probabilities(row.data(), V, 1)) > 50,
          "the frequencies are those of temperature 1: dividing the sum of logit and noise by the "
          "temperature changes "
          "no maximum");
    // Seven degrees of freedom: more than 40 happens once in a million times.
    CHECK(
        chi_squared(ids, probabilities(row.data(), V, temperature)) < 40,
        "the frequencies differ from softmax(logits / temperature): chi squared is {:.0f}, expected about 7",
        chi_squared(ids, probabilities(row.data(), V, temperature)));
  }
}

CASE("any logits") {
  const int64_t B = 30, V = draw.integer(10, 40);
  const uint64_t seed = uint64_t(draw.integer(1, 10000));
  auto logits = draw.normal(B * V, 0, 2);
  for (const double shift : {-3000.0, 3000.0}) {
    WITH("logits near {}", shift);
    auto shifted = logits;
    for (float& value : shifted) value = float(double(value) + shift);
    const auto ids = STUDENT(drawn(shifted, V, 1, seed));
    CHECK_EQUAL(
        ids, oracle(shifted, V, 1, seed),
        "not the ids of these logits; a number that all logits of a row have in common must not matter");
  }
  WITH("a third of the logits is -inf");
  for (int64_t b = 0; b < B; ++b) {
    for (int64_t i = 1; i < V; ++i)
      if (draw.integer(0, 2) == 0) logits[size_t(b * V + i)] = -INFINITY;
  }
  const auto ids = STUDENT(drawn(logits, V, 1, seed));
  const Values rows = doubles(ids);
  for (size_t b = 0; b < rows.size(); ++b)
    CHECK(in_range({rows[b]}, V) && std::isfinite(logits[b * size_t(V) + size_t(rows[b])]),
          "row {}: id {} was drawn, whose logit is -inf", b, rows[b]);
  CHECK_EQUAL(ids, oracle(logits, V, 1, seed),
              "an id with the logit -inf is never drawn, and the others as before");
  WITH("temperature 0.001");
  const auto cold = STUDENT(drawn(logits, V, 1e-3, seed));
  CHECK_EQUAL(cold, oracle(logits, V, 1e-3, seed),
              "at this temperature nearly always the largest logit is drawn");
}
