#include "common/kernels/adamw.h"

#include <cmath>
#include <type_traits>

#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {

void adamw_advance(Stream, AdamWState* state, const AdamWFactors& f) {
  const auto t = double(++state->steps);
  state->decay = float(1 - state->lr * f.weight_decay);
  state->step_size = float(state->lr / (1 - std::pow(f.beta1, t)));
  state->root_correction2 = float(std::sqrt(1 - std::pow(f.beta2, t)));
}

void adamw(Stream, float* w, bf16* copy, const float* g, float* m, float* v, int64_t n, int64_t decayed,
           const AdamWState* state, const float* norm, float max_norm, const AdamWFactors& f) {
  const auto rate1 = float(1 - f.beta1), rate2 = float(1 - f.beta2), beta2 = float(f.beta2),
             eps = float(f.eps);
  const float step_size = state->step_size, root_correction2 = state->root_correction2;
  const float scale = norm ? std::min(1.0f, max_norm / (*norm + 1e-6f)) : 1;
  const auto update = [=](auto with_copy, int64_t begin, int64_t end, float decay) {
    parallel_values(end - begin, [=](int64_t k) {
      const int64_t i = begin + k;
      const float gradient = g[i] * scale;
      m[i] += rate1 * (gradient - m[i]);
      v[i] = beta2 * v[i] + rate2 * gradient * gradient;
      w[i] = w[i] * decay - step_size * m[i] / (std::sqrt(v[i]) / root_correction2 + eps);
      if constexpr (decltype(with_copy)::value) copy[i] = w[i];
    });
  };
  const auto update_all = [=](auto with_copy) {
    update(with_copy, 0, decayed, state->decay);
    update(with_copy, decayed, n, 1);
  };
  copy ? update_all(std::true_type()) : update_all(std::false_type());
}

}  // namespace gpt2::cpu
