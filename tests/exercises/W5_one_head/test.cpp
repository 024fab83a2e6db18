#include "head.h"

#include "tests/exercises/tensors.h"

namespace {

struct Inputs {
  int64_t B, T, C, hs;
  std::vector<float> x, key, query, value;
};

// Weights that give keys, queries and values a variance of about 1.
Inputs random_inputs(Draw& draw, int64_t T, int64_t hs) {
  const int64_t B = draw.integer(1, 3), C = draw.integer(20, 60);
  const double deviation = 1 / std::sqrt(double(C));
  const auto weight = [&] { return draw.normal(hs * C, 0, deviation); };
  auto x = draw.normal(B * T * C);
  auto key = weight(), query = weight(), value = weight();
  return {B, T, C, hs, std::move(x), std::move(key), std::move(query), std::move(value)};
}

// The student's head with these weights.
struct Filled {
  Head head;
  Tensor x;
  explicit Filled(const Inputs& in) : head(in.C, in.hs), x(from_vector(in.x, {in.B, in.T, in.C})) {
    copy_(head.key.weight.detach(), from_vector(in.key, {in.hs, in.C}));
    copy_(head.query.weight.detach(), from_vector(in.query, {in.hs, in.C}));
    copy_(head.value.weight.detach(), from_vector(in.value, {in.hs, in.C}));
  }
  Tensor scores() const { return head.scores(x).detach(); }
  Tensor output() const { return head(x).detach(); }
};

// Row i of x (rows of C) times row j of the weight.
double project(const Inputs& in, const std::vector<float>& weight, int64_t i, int64_t j) {
  double sum = 0;
  for (int64_t c = 0; c < in.C; ++c)
    sum += double(in.x[size_t(i * in.C + c)]) * double(weight[size_t(j * in.C + c)]);
  return sum;
}

Values projected(const Inputs& in, const std::vector<float>& weight) {
  Values y;
  for (int64_t i = 0; i < in.B * in.T * in.hs; ++i) y.push_back(project(in, weight, i / in.hs, i % in.hs));
  return y;
}

// rows[i] dot columns[j], for all i and j of the same sequence: (B, T, T)
Values oracle_scores(const Inputs& in, const std::vector<float>& rows, const std::vector<float>& columns) {
  const Values q = projected(in, rows), k = projected(in, columns);
  Values scores;
  for (int64_t i = 0; i < in.B * in.T; ++i) {
    for (int64_t j = i / in.T * in.T; j < (i / in.T + 1) * in.T; ++j) {
      double sum = 0;
      for (int64_t c = 0; c < in.hs; ++c) sum += q[size_t(i * in.hs + c)] * k[size_t(j * in.hs + c)];
      scores.push_back(sum / std::sqrt(double(in.hs)));
    }
  }
  return scores;
}

Values times(Values x, double factor) {
  for (double& value : x) value *= factor;
  return x;
}

// For each position the weighted mean of the values up to it (causal) or of all (not causal).
Values oracle_output(const Inputs& in, bool causal = true) {
  const Values s = oracle_scores(in, in.query, in.key), v = projected(in, in.value);
  Values y;
  for (int64_t i = 0; i < in.B * in.T; ++i) {
    const int64_t first = i / in.T * in.T, count = causal ? i - first + 1 : in.T;
    for (int64_t c = 0; c < in.hs; ++c) {
      double total = 0, sum = 0;
      for (int64_t j = 0; j < count; ++j) {
        const double weight = std::exp(s[size_t(i * in.T + j)]);
        total += weight;
        sum += weight * v[size_t((first + j) * in.hs + c)];
      }
      y.push_back(sum / total);
    }
  }
  return y;
}

double deviation(const Values& x) { return std::sqrt(gpt2::testing::dot(x, x) / double(x.size())); }

}  // namespace

CASE("scores") {
  for (const int64_t hs : {int64_t{16}, int64_t{128}, draw.integer(5, 50)}) {
    const Inputs in = random_inputs(draw, draw.integer(2, 20), hs);
    WITH("B = {}, T = {}, C = {}, hs = {}", in.B, in.T, in.C, in.hs);
    const auto scores = STUDENT(Filled(in).scores());
    const Values right = oracle_scores(in, in.query, in.key);
    CHECK(!close(scores, times(right, std::sqrt(double(hs))), 1e-4),
          "the standard deviation of the scores is {:.1f}, and it grows with hs: divide by sqrt(hs)",
          deviation(doubles(scores)));
    CHECK(in.C == hs || !close(scores, times(right, std::sqrt(double(hs) / double(in.C))), 1e-4),
          "you divide by sqrt(C). The dot product is a sum of hs terms: divide by sqrt(hs)");
    CHECK(!close(scores, times(right, 1 / std::sqrt(double(hs))), 1e-4),
          "you divide by hs: the deviation of a sum of hs terms is sqrt(hs)");
    CHECK(!close(scores, oracle_scores(in, in.key, in.query), 1e-4),
          "rows and columns are swapped: row t belongs to the query of position t, column s to the key of s");
    CHECK_CLOSE(scores, right, 1e-4, "the scores are not q k^T / sqrt(hs)");
  }
}

CASE("output") {
  for (const int64_t T : {int64_t{1}, int64_t{7}, draw.integer(2, 33)}) {
    const Inputs in = random_inputs(draw, T, draw.pick<int64_t>({16, 24, 40}));
    WITH("B = {}, T = {}, C = {}, hs = {}", in.B, in.T, in.C, in.hs);
    const auto y = STUDENT(Filled(in).output());
    CHECK(T == 1 || !close(y, oracle_output(in, false), 1e-4),
          "each position averages over the whole sequence: mask the scores before the softmax");
    CHECK_CLOSE(y, oracle_output(in), 1e-4, "the output is not softmax(masked scores) times the values");
  }
}

CASE("no future") {
  Inputs in = random_inputs(draw, draw.integer(6, 20), draw.integer(8, 30));
  const int64_t t = draw.integer(2, in.T - 1);
  in.B = 1;
  in.x.resize(size_t(in.T * in.C));
  WITH("T = {}, C = {}, hs = {}, x[{}] changed", in.T, in.C, in.hs, t);
  const auto before = doubles(STUDENT(Filled(in).output()));
  for (int64_t c = 0; c < in.C; ++c) in.x[size_t(t * in.C + c)] += 1;
  const auto after = STUDENT(Filled(in).output());
  for (int64_t i = 0; i < t * in.hs; ++i) {
    CHECK(before[size_t(i)] == doubles(after)[size_t(i)],
          "the output of position {} has changed: it sees the future", i / in.hs);
  }
  CHECK_CLOSE(after, oracle_output(in), 1e-4, "the output is not softmax(masked scores) times the values");
}
