#include "dq.h"

#include "allocations.h"
#include "tests/exercises/tensors.h"

namespace {

struct Inputs {
  std::vector<float> q, k, v, dy;  // (T, hs)
  int64_t T, hs;
  double scale, cap;
};

// Scores have about the standard deviation `size` before they are capped.
Inputs random_inputs(Draw& draw, int64_t T, double size, double cap) {
  const int64_t hs = draw.integer(3, 9);
  Inputs in{{}, {}, {}, {}, T, hs, float(size / std::sqrt(double(hs))), cap};
  for (auto* x : {&in.q, &in.k, &in.v, &in.dy}) *x = draw.normal(T * hs);
  return in;
}

double dot(const std::vector<float>& a, int64_t i, const std::vector<float>& b, int64_t j, int64_t hs) {
  double sum = 0;
  for (int64_t c = 0; c < hs; ++c) sum += double(a[size_t(i * hs + c)]) * double(b[size_t(j * hs + c)]);
  return sum;
}

double score(const Inputs& in, int64_t i, int64_t j) { return in.scale * dot(in.q, i, in.k, j, in.hs); }
double capped(const Inputs& in, double score) { return in.cap * std::tanh(score / in.cap); }

Values divided(Values values, double divisor) {
  for (double& value : values) value /= divisor;
  return values;
}

// The weights of the keys 0 ... i.
Values weights(const Inputs& in, int64_t i) {
  Values p;
  for (int64_t j = 0; j <= i; ++j) p.push_back(capped(in, score(in, i, j)));
  const double largest = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (double& value : p) sum += value = std::exp(value - largest);
  return divided(p, sum);
}

// What the forward pass leaves: y, and the log-sum-exp of each row.
struct Forward {
  std::vector<float> y, log_sum_exp;
};

Forward forward(const Inputs& in) {
  Forward result;
  for (int64_t i = 0; i < in.T; ++i) {
    const Values p = weights(in, i);
    for (int64_t c = 0; c < in.hs; ++c) {
      double sum = 0;
      for (int64_t j = 0; j <= i; ++j) sum += p[size_t(j)] * double(in.v[size_t(j * in.hs + c)]);
      result.y.push_back(float(sum));
    }
    const auto likely = std::max_element(p.begin(), p.end());  // log p = s - log_sum_exp
    result.log_sum_exp.push_back(float(capped(in, score(in, i, likely - p.begin())) - std::log(*likely)));
  }
  return result;
}

// The gradient of q, and the most memory in use.
std::pair<std::vector<float>, int64_t> student_dq(const Inputs& in, const Forward& f) {
  std::vector<float> dq(in.q.size(), NAN);
  const CappedHead a{in.q.data(),          in.k.data(), in.v.data(), f.y.data(),      in.dy.data(),
                     f.log_sum_exp.data(), in.T,        in.hs,       float(in.scale), float(in.cap)};
  int64_t of_new = 0;
  const int64_t of_tensors = peak_bytes([&] { of_new = peak_of_new([&] { attention_dq(dq.data(), a); }); });
  return {dq, of_new + of_tensors};
}

// ---- the oracle: the gradient of a softmax from pairs of keys

// Row i of the gradient, with respect to q[i]; ds_j = sum over k of p_j p_k (dp_j - dp_k).
Values oracle_row(const Inputs& in, int64_t i) {
  const Values p = weights(in, i);
  Values row(static_cast<size_t>(in.hs)), dp;
  for (int64_t j = 0; j <= i; ++j) dp.push_back(dot(in.dy, i, in.v, j, in.hs));
  for (int64_t j = 0; j <= i; ++j) {
    double ds = 0;
    for (size_t k = 0; k < p.size(); ++k) ds += p[size_t(j)] * p[k] * (dp[size_t(j)] - dp[k]);
    const double slope = 1 / std::pow(std::cosh(score(in, i, j) / in.cap), 2);
    for (int64_t c = 0; c < in.hs; ++c)
      row[size_t(c)] += in.scale * ds * slope * double(in.k[size_t(j * in.hs + c)]);
  }
  return row;
}

template <class Row>
Values all_rows(const Inputs& in, const Row& row_of) {
  Values all;
  for (int64_t i = 0; i < in.T; ++i) {
    const Values row = row_of(i);
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

// A mistake: row i is the sum over j of scale * p_j * term(i, j) * k[j].
template <class Term>
Values mistake(const Inputs& in, const Term& term) {
  return all_rows(in, [&](int64_t i) {
    const Values p = weights(in, i);
    Values row(static_cast<size_t>(in.hs));
    for (int64_t j = 0; j <= i; ++j) {
      const double factor = in.scale * p[size_t(j)] * term(i, j);
      for (int64_t c = 0; c < in.hs; ++c) row[size_t(c)] += factor * double(in.k[size_t(j * in.hs + c)]);
    }
    return row;
  });
}

double slope(const Inputs& in, int64_t i, int64_t j) {
  return 1 - std::pow(std::tanh(score(in, i, j) / in.cap), 2);
}

Values without_d(const Inputs& in) {
  return mistake(in, [&](int64_t i, int64_t j) { return dot(in.dy, i, in.v, j, in.hs) * slope(in, i, j); });
}

Values without_slope(const Inputs& in, const Forward& f) {
  return mistake(
      in, [&](int64_t i, int64_t j) { return dot(in.dy, i, in.v, j, in.hs) - dot(in.dy, i, f.y, i, in.hs); });
}

// The last row has no keys after it: whether it alone is right.
bool only_the_last_is_right(const std::vector<float>& dq, const Values& right, int64_t hs) {
  const auto last = [&](const auto& values) { return Values(values.end() - hs, values.end()); };
  return close(last(dq), last(right), 1e-4) && !close(dq, right, 1e-4);
}

void check_dq(const std::vector<float>& dq, const Inputs& in, const Forward& f) {
  const Values right = all_rows(in, [&](int64_t i) { return oracle_row(in, i); });
  CHECK(!close(dq, without_d(in), 1e-4),
        "D is missing: a softmax's gradient is p_j (dp_j - D), since all of its probabilities depend on each "
        "score");
  CHECK(
      !close(dq, without_slope(in, f), 1e-4),
      "this is the gradient as if the cap were not there: the derivative of cap * tanh(x / cap) is missing");
  CHECK(!close(dq, divided(right, in.scale), 1e-4),
        "the factor scale is missing: the scores are scale * (q . k)");
  CHECK(!only_the_last_is_right(dq, right, in.hs),
        "the last query is right, the others are not: do they use keys after the query?");
  CHECK_CLOSE(dq, right, 1e-4, "dq differs from the oracle, which sums over pairs of keys");
}

}  // namespace

CASE("one key") {
  const Inputs in = random_inputs(draw, 1, 2, 5);
  const Forward f = forward(in);
  const auto dq = STUDENT(student_dq(in, f)).first;
  const double largest = std::abs(*std::max_element(
      dq.begin(), dq.end(), [](float a, float b) { return std::abs(a) < std::abs(b) || std::isnan(b); }));
  CHECK(largest < 1e-5,
        "with a single key its probability is 1, whatever q is, so dq is 0; yours reaches {:.3g}: what is "
        "subtracted from dp?",
        largest);
}

CASE("gradient") {
  for (const int64_t T : {int64_t{33}, int64_t{65}, draw.integer(20, 60)}) {
    const Inputs in = random_inputs(draw, T, 2.5, draw.pick({3.0, 5.0, 8.0}));
    const Forward f = forward(in);
    WITH("T = {}, hs = {}, cap = {}", T, in.hs, in.cap);
    const auto dq = STUDENT(student_dq(in, f)).first;
    check_dq(dq, in, f);
  }
}

CASE("large scores") {
  const Inputs in = random_inputs(draw, draw.integer(20, 40), 60, 1000);
  const Forward f = forward(in);
  WITH("T = {}, scores of +-150", in.T);
  const auto dq = STUDENT(student_dq(in, f)).first;
  const bool finite = std::all_of(dq.begin(), dq.end(), [](float value) { return std::isfinite(value); });
  CHECK(finite, "dq is not finite: exp(s) overflows, exp(s - log_sum_exp) is at most 1");
  const Values right = all_rows(in, [&](int64_t i) { return oracle_row(in, i); });
  CHECK_CLOSE(dq, right, 1e-2, "dq differs from the oracle");
}

CASE("no T x T") {
  const Inputs in = random_inputs(draw, draw.integer(1400, 1600), 4, 5);
  const Forward f = forward(in);
  WITH("T = {}, hs = {}", in.T, in.hs);
  const auto [dq, bytes] = STUDENT(student_dq(in, f));
  CHECK(bytes < in.T * in.T,
        "{} bytes of memory are in use at once, as much as a T x T matrix: compute each probability again "
        "from q, k and log_sum_exp",
        bytes);
  CHECK(bytes <= 16 * in.T * in.hs, "{} bytes of memory are in use at once; {} (16 T hs) must do", bytes,
        16 * in.T * in.hs);
  for (const int64_t i : {int64_t{0}, in.T / 2, in.T - 1}) {
    const Values row(dq.begin() + i * in.hs, dq.begin() + (i + 1) * in.hs);
    const Values right = oracle_row(in, i);
    double error = 0;
    for (size_t c = 0; c < row.size(); ++c) error = std::max(error, std::abs(row[c] - right[c]));
    CHECK(error <= 1e-4, "row {} differs from the oracle by {:.3g}", i, error);
  }
}
