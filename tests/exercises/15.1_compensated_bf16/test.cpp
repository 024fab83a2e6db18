#include "compensated.h"

#include "tests/exercises/exercise.h"

namespace {

using exercise::Draw;
using gpt2::bf16;
using Floats = std::vector<float>;
using Values = std::vector<double>;

// What a run stores: weights and compensations, as floats.
using Stored = std::pair<Floats, Floats>;

// Steps with these gradients, one list for each step, from weights that are rounded to bf16 first.
Stored student_run(const Floats& weights, const Floats& compensations, const std::vector<Floats>& gradients,
                   float lr) {
  std::vector<bf16> w(weights.begin(), weights.end()), c(compensations.begin(), compensations.end());
  for (const Floats& g : gradients) compensated_sgd(w.data(), c.data(), g.data(), int64_t(w.size()), lr);
  return {{w.begin(), w.end()}, {c.begin(), c.end()}};
}

Floats rounded(const Floats& values) {
  Floats result;
  for (const float value : values) result.push_back(bf16(value));
  return result;
}

// One step; with rounds_y, y is rounded to bf16.
Stored one_step(const Floats& w, const Floats& c, const Floats& g, float lr, bool rounds_y) {
  Stored after;
  for (size_t i = 0; i < w.size(); ++i) {
    const float exact = -lr * g[i] - c[i], y = rounds_y ? float(bf16(exact)) : exact;
    after.first.push_back(bf16(w[i] + y));
    after.second.push_back(bf16((after.first[i] - w[i]) - y));
  }
  return after;
}

// w - c, what the weights are if one counts the compensation.
Values exact_weights(const Stored& stored) {
  Values result;
  for (size_t i = 0; i < stored.first.size(); ++i)
    result.push_back(double(stored.first[i]) - double(stored.second[i]));
  return result;
}

// The sums in double.
Values oracle(const Floats& weights, const std::vector<Floats>& gradients, float lr) {
  Values w = exercise::doubles(rounded(weights));
  for (const Floats& g : gradients) {
    for (size_t i = 0; i < w.size(); ++i) w[i] -= double(lr) * double(g[i]);
  }
  return w;
}

// Half the distance between bf16 numbers near x.
double half_unit(double x) { return std::ldexp(1.0, std::ilogb(x) - 8); }

// The largest error of w - c, in half units of bf16 near the weight.
double worst(const Stored& stored, const Values& expected) {
  const Values actual = exact_weights(stored);
  double result = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double error = std::abs(actual[i] - expected[i]) / half_unit(expected[i]);
    result = std::isnan(error) ? INFINITY : std::max(result, error);
  }
  return result;
}

Floats of_any_size(Draw& draw, int64_t n, double low, double high) {
  Floats values;
  for (int64_t i = 0; i < n; ++i)
    values.push_back(float(draw.pick({-1, 1}) * std::pow(10, draw.number(low, high))));
  return values;
}

}  // namespace

CASE("one step") {
  for (const int64_t n : {draw.integer(200, 400), int64_t{7}, int64_t{1}}) {
    WITH("n = {}", n);
    const Floats w = rounded(of_any_size(draw, n, -3, 1)), g = of_any_size(draw, n, -6, 0);
    Floats c;
    for (const float weight : w) c.push_back(float(draw.number(-1, 1) * half_unit(double(weight))));
    c = rounded(c);
    const float lr = draw.pick({1.0f / 16, 1.0f / 32, 1.0f / 64});  // exact products, fused or not
    const auto after = STUDENT(student_run(w, c, {g}, lr));
    const Stored right = one_step(w, c, g, lr, false), low = one_step(w, c, g, lr, true);
    Floats forgotten, swapped;
    for (size_t i = 0; i < w.size(); ++i) {
      forgotten.push_back(bf16(w[i] - lr * g[i]));
      swapped.push_back(-right.second[i]);
    }
    if (after == right) continue;
    CHECK(after != low,
          "y is rounded to bf16 before it is added: what that loses is never seen again; keep y in float");
    CHECK(after.first == right.first || after.first != forgotten,
          "w is bf16(w - lr g): what the last rounding lost, c, is not subtracted");
    CHECK_EQUAL(after.first, right.first, "the weights are not bf16(w + y) with y = -lr g - c");
    CHECK(after.second != swapped,
          "c has the wrong sign: it is what was added, s - w, minus what should have been added, y");
    CHECK_EQUAL(after.second, right.second, "the compensation is not bf16((s - w) - y)");
  }
}

CASE("small updates") {
  const int64_t n = 64, steps = 500;
  const float lr = 1;
  Floats g;
  for (int64_t i = 0; i < n; ++i)
    g.push_back(-float(draw.number(0.2, 0.45) / 256));  // half a unit at 1 is 1/256
  const std::vector<Floats> gradients(size_t(steps), g);
  WITH("64 weights of 1, {} updates of less than half a unit each", steps);
  const Floats ones(size_t(n), 1), zeros(size_t(n), 0);
  const auto after = STUDENT(student_run(ones, zeros, gradients, lr));
  const auto [low, high] = std::minmax_element(after.first.begin(), after.first.end());
  CHECK(*low != 1 || *high != 1,
        "all weights are still 1: each update is less than half a unit, and is rounded away; it has to be "
        "remembered in c");
  CHECK_CLOSE(exact_weights(after), oracle(ones, gradients, lr), 1e-3,
              "w - c is not the sum of all updates: some of what was lost does not come back");
}

CASE("a thousand steps") {
  const int64_t n = draw.integer(50, 100);
  const float lr = float(draw.number(1e-3, 2e-3));
  const Floats w = of_any_size(draw, n, -0.3, 0.3);
  std::vector<Floats> gradients;
  for (int step = 0; step < 1000; ++step) gradients.push_back(draw.uniform(n, -0.9, 1));
  WITH("n = {}, 1000 steps", n);
  const auto after = STUDENT(student_run(w, Floats(size_t(n)), gradients, lr));
  const Values expected = oracle(w, gradients, lr);
  const double error = worst(after, expected);
  CHECK(error <= 0.3,
        "w - c is off by up to {:.2f} half units of bf16: plain rounding is off by dozens, the compensated "
        "sum by less than a third of one",
        error);
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(std::abs(double(after.first[i]) - expected[i]) <= 2.1 * half_unit(expected[i]),
          "weight {} is {}, but the exact sum is {:.6f}: w is to be the bf16 next to it", i, after.first[i],
          expected[i]);
  }
}

CASE("large updates") {
  const int64_t n = 50;
  const Floats w = of_any_size(draw, n, -4, -2);
  const std::vector<Floats> gradients{of_any_size(draw, n, 0, 1), of_any_size(draw, n, -4, -3)};
  const auto after = STUDENT(student_run(w, Floats(size_t(n)), gradients, 1));
  const Values actual = exact_weights(after), expected = oracle(w, gradients, 1);
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(std::abs(actual[i] - expected[i]) <= 0.05 * half_unit(expected[i]),
          "w - c is {:.7f}, expected {:.7f}: after an update that is larger than the weight, a small one is "
          "lost",
          actual[i], expected[i]);
  }
}
