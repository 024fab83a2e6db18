#include "lion.h"

#include "tests/exercises/exercise.h"

namespace {

using exercise::doubles;
using exercise::Draw;
using Values = std::vector<double>;
using Floats = std::vector<float>;

struct Run {
  Floats w;
  std::vector<Floats> gradients;  // one for each step
  int64_t decayed;
  LionOptions options;
};

// Every second value is of any magnitude from 1e-9 to 100, the others are about as large as one another.
Floats random_gradient(Draw& draw, int64_t n) {
  Floats g;
  for (int64_t i = 0; i < n; ++i) {
    const double size = std::pow(10, i % 2 == 0 ? draw.number(-9, 2) : draw.number(-0.5, 0));
    g.push_back(float(size * draw.pick({-1, 1})));
  }
  return g;
}

Run random_run(Draw& draw, int64_t n, int steps) {
  Run run{draw.normal(n), {}, draw.integer(0, n), {.lr = draw.number(1e-3, 1e-2)}};
  for (int step = 0; step < steps; ++step) run.gradients.push_back(random_gradient(draw, n));
  return run;
}

// The weights and the momentum after all steps.
std::pair<Floats, Floats> student_run(Run run) {
  Floats m(run.w.size());
  for (const Floats& g : run.gradients)
    lion(run.w.data(), g.data(), m.data(), int64_t(run.w.size()), run.decayed, run.options);
  return {run.w, m};
}

// ---- the oracle: weight by weight, with the momentum as a weighted sum over all gradients so far

double momentum(const Run& run, size_t i, size_t steps, double beta) {
  double m = 0;
  for (size_t s = 0; s < steps; ++s)
    m += (1 - beta) * std::pow(beta, double(steps - 1 - s)) * run.gradients[s][i];
  return m;
}

enum class Variant { lion, momentum_first, one_beta };

double direction(const Run& run, size_t i, size_t step, Variant variant) {
  const double beta1 = run.options.beta1, beta2 = run.options.beta2;
  const size_t known = step + (variant == Variant::momentum_first);
  if (variant == Variant::one_beta) return momentum(run, i, step + 1, beta1);
  return beta1 * momentum(run, i, known, beta2) + (1 - beta1) * run.gradients[step][i];
}

Values oracle(const Run& run, Variant variant = Variant::lion) {
  Values w = doubles(run.w);
  for (size_t i = 0; i < w.size(); ++i) {
    const double decay = int64_t(i) < run.decayed ? run.options.lr * run.options.weight_decay : 0;
    for (size_t step = 0; step < run.gradients.size(); ++step) {
      const double d = direction(run, i, step, variant);
      w[i] -= decay * w[i] + run.options.lr * (d == 0 ? 0 : std::copysign(1, d));
    }
  }
  return w;
}

Values oracle_momentum(const Run& run, double beta) {
  Values m;
  for (size_t i = 0; i < run.w.size(); ++i) m.push_back(momentum(run, i, run.gradients.size(), beta));
  return m;
}

// Doubles a gradient that nearly cancels the momentum: rounding could change the sign of their sum.
void avoid_cancellation(Run& run) {
  for (size_t step = 0; step < run.gradients.size(); ++step) {
    for (size_t i = 0; i < run.w.size(); ++i) {
      const double g = run.gradients[step][i];
      if (std::abs(direction(run, i, step, Variant::lion)) < 1e-3 * std::abs(g)) run.gradients[step][i] *= 2;
    }
  }
}

// The weights of run without decay that moved by another distance than lr.
int64_t other_distances(const Run& run, const Floats& w) {
  int64_t others = 0;
  for (size_t i = 0; i < w.size(); ++i) {
    const double distance = std::abs(double(w[i]) - run.w[i]);
    others += !(std::abs(distance - run.options.lr) <= 1e-3 * run.options.lr);
  }
  return others;
}

}  // namespace

CASE("first step") {
  for (const int64_t n : {int64_t{1}, int64_t{7}, draw.integer(50, 200)}) {
    WITH("n = {}", n);
    const Run run = random_run(draw, n, 1);
    const auto [w, m] = STUDENT(student_run(run));
    Run back = run;
    for (float& g : back.gradients[0]) g = -g;
    CHECK(!close(w, oracle(back), 1e-6), "the weights climb: subtract the direction");
    CHECK(other_distances(run, w) == 0,
          "{} of {} weights move by another distance than lr: the step depends on the size of the gradient, "
          "or it is 0; only its sign counts",
          other_distances(run, w), n);
    CHECK_CLOSE(w, oracle(run), 1e-6, "the weights after one step are wrong");
    CHECK(!close(m, oracle_momentum(run, run.options.beta1), 1e-6),
          "the momentum is updated with beta1: it has a factor of its own, beta2");
    CHECK_CLOSE(m, oracle_momentum(run, run.options.beta2), 1e-6, "the momentum after one step is wrong");
  }
}

CASE("ten steps") {
  for (const double beta1 : {0.9, draw.number(0.5, 0.8)}) {
    Run run = random_run(draw, draw.integer(100, 200), 10);
    run.options.beta1 = beta1;
    avoid_cancellation(run);
    WITH("n = {}, beta1 = {:.2f}", run.w.size(), beta1);
    const auto [w, m] = STUDENT(student_run(run));
    const auto is = [&, &w = w](Variant wrong) {
      return close(w, oracle(run, wrong), 3e-6) && !close(oracle(run, wrong), oracle(run), 3e-6);
    };
    CHECK(!is(Variant::momentum_first),
          "the momentum is updated before the sign is taken: the direction needs the old one");
    CHECK(!is(Variant::one_beta),
          "the momentum is updated with beta1, or the direction is the sign of the momentum: there are two "
          "mixtures");
    CHECK_CLOSE(w, oracle(run), 3e-6, "the weights after ten steps are wrong");
    CHECK_CLOSE(m, oracle_momentum(run, run.options.beta2), 1e-5, "the momentum after ten steps is wrong");
  }
}

CASE("weight decay") {
  Run run = random_run(draw, draw.integer(20, 60), 10);
  run.decayed = draw.integer(5, 15);
  run.options.weight_decay = draw.number(1, 3);
  avoid_cancellation(run);
  WITH("n = {}, decayed = {}, weight_decay = {:.2f}", run.w.size(), run.decayed, run.options.weight_decay);
  const auto [w, m] = STUDENT(student_run(run));
  CHECK(close(m, oracle_momentum(run, run.options.beta2), 1e-5),
        "the decay is in the momentum: this is L2 regularisation. Decoupled decay multiplies the weight, and "
        "the gradient knows nothing of it");
  Run all = run, none = run;
  all.decayed = int64_t(run.w.size()), none.decayed = 0;
  CHECK(!close(w, oracle(all), 3e-6), "all weights decay: only the first `decayed` of them are to");
  CHECK(!close(w, oracle(none), 3e-6), "no weight decays");
  CHECK_CLOSE(w, oracle(run), 3e-6, "the weights differ: w = (1 - lr weight_decay) w - lr sign(...)");
}

CASE("nothing to do") {
  Run run = random_run(draw, 12, 4);
  for (Floats& g : run.gradients) std::fill(g.begin(), g.begin() + 6, 0.0f);
  avoid_cancellation(run);
  const auto [w, m] = STUDENT(student_run(run));
  for (size_t i = 0; i < 6; ++i) {
    CHECK(w[i] == run.w[i],
          "weight {}, whose gradients were all 0, moved from {} to {}: sign(0) is 0, else the embeddings of "
          "tokens that do not occur drift away",
          i, run.w[i], w[i]);
  }
  CHECK_CLOSE(w, oracle(run), 1e-6, "the other weights are wrong");
}
