// Exercise 10.2: one step of Lion.
#include "lion.h"

#include "tests/exercises/todo.h"

namespace {

float sign(float x) {
  //@solution 10.2 sign
  return float((x > 0) - (x < 0));
  //@stub
  //| return COURSE_TODO("10.2");
  //@end
}

}  // namespace

void lion(float* w, const float* g, float* m, int64_t n, int64_t decayed, const LionOptions& options) {
  // The factors are computed in double and rounded once: 1 - 0.99f is off by 1e-6.
  const auto beta1 = float(options.beta1), rate1 = float(1 - options.beta1);
  const auto beta2 = float(options.beta2), rate2 = float(1 - options.beta2);
  const auto lr = float(options.lr), decay = float(1 - options.lr * options.weight_decay);
  //@solution 10.2 step
  for (int64_t i = 0; i < n; ++i) {
    const float direction = sign(beta1 * m[i] + rate1 * g[i]);
    w[i] = (i < decayed ? decay : 1) * w[i] - lr * direction;
    m[i] = beta2 * m[i] + rate2 * g[i];
  }
  //@stub
  //| // TODO(10.2): update w and m. This is AdamW, from chapter 10:
  //| //   m[i] += rate1 * (g[i] - m[i]);
  //| //   v[i] = beta2 * v[i] + rate2 * g[i] * g[i];
  //| //   w[i] = w[i] * decay - step_size * m[i] / (std::sqrt(v[i]) / root_correction2 + eps);
  //| COURSE_TODO("10.2");
  //@end
}
