#include "common/kernels/adamw.h"

#include <cmath>

#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {

void adamw(Stream, float* w, const float* g, float* m, float* v, int64_t n, const AdamWStep& step) {
  const auto decay = static_cast<float>(1 - step.lr * step.weight_decay);
  const auto rate1 = static_cast<float>(1 - step.beta1), rate2 = static_cast<float>(1 - step.beta2);
  const auto beta2 = static_cast<float>(step.beta2), eps = static_cast<float>(step.eps);
  const auto step_size = static_cast<float>(step.lr / step.correction1);
  const auto root_correction2 = static_cast<float>(std::sqrt(step.correction2));
  parallel_values(n, [=](int64_t i) {
    m[i] += rate1 * (g[i] - m[i]);
    v[i] = beta2 * v[i] + rate2 * g[i] * g[i];
    w[i] = w[i] * decay - step_size * m[i] / (std::sqrt(v[i]) / root_correction2 + eps);
  });
}

}  // namespace gpt2::cpu
