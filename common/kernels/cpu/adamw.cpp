#include "common/kernels/adamw.h"

#include <cmath>
#include <type_traits>

#include "common/kernels/cpu/parallel.h"
#include "common/kernels/stochastic_rounding.h"

namespace gpt2::cpu {
namespace {

// What is the same for all parameters of a step.
struct Step {
  float rate1, rate2, beta2, eps, step_size, root_correction2, scale;

  Step(const AdamWState& state, const float* norm, float max_norm, const AdamWFactors& f)
      : rate1(float(1 - f.beta1)),
        rate2(float(1 - f.beta2)),
        beta2(float(f.beta2)),
        eps(float(f.eps)),
        step_size(state.step_size),
        root_correction2(state.root_correction2),
        scale(norm ? std::min(1.0f, max_norm / (*norm + 1e-6f)) : 1) {}

  // Returns the new weight.
  float update(float w, float g, float& m, float& v, float decay) const {
    const float gradient = g * scale;
    m += rate1 * (gradient - m);
    v = beta2 * v + rate2 * gradient * gradient;
    return w * decay - step_size * m / (std::sqrt(v) / root_correction2 + eps);
  }
};

// Float gradients: the weights are float, and low is their copy, rounded to nearest. The flag is a type, so that the
// loop has no branch and can be vectorised. Arguments by value: the compiler then knows that nothing aliases them.
template <class WithLow>
void update(AdamWBlock<float> b, Step step, float decay, int64_t begin, int64_t end, WithLow) {
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    b.w[i] = step.update(b.w[i], b.g[i], b.m[i], b.v[i], decay);
    if constexpr (WithLow::value) b.low[i] = b.w[i];
  }
}

constexpr int64_t kWords = 1024;  // at a time, 4 KB, so that both loops below can be vectorised

// bf16 gradients: the weights are low, rounded stochastically from w, or from themselves without a w.
template <class WithMaster>
void update(AdamWBlock<bf16> b, Step step, float decay, int64_t begin, int64_t end, WithMaster, int64_t t) {
  uint32_t words[kWords];
  const int64_t whole = begin / 4 * 4;  // decayed, and so begin, need not be a multiple of 4
  for (int64_t at = whole; at < end; at += kWords) {
#pragma omp simd
    for (int64_t i = 0; i < kWords; i += 4) {
      const PhiloxWords four = rounding_words(b.seed, t, b.first + at + i);
      words[i] = four.a;
      words[i + 1] = four.b;
      words[i + 2] = four.c;
      words[i + 3] = four.d;
    }
    const int64_t stop = std::min(end, at + kWords);
#pragma omp simd
    for (int64_t i = std::max(begin, at); i < stop; ++i) {
      const float w =
          step.update(WithMaster::value ? b.w[i] : float(b.low[i]), b.g[i], b.m[i], b.v[i], decay);
      if constexpr (WithMaster::value) b.w[i] = w;
      b.low[i] = stochastically_rounded(w, words[i - at]);
    }
  }
}

// Calls body(begin, end, decay) for chunks of all parameters.
template <class Body>
void for_each_chunk(int64_t n, int64_t decayed, float decay, const Body& body) {
  parallel_chunks(decayed, kGrain, [&](int64_t begin, int64_t end) { body(begin, end, decay); });
  parallel_chunks(n - decayed, kGrain,
                  [&](int64_t begin, int64_t end) { body(decayed + begin, decayed + end, 1.0f); });
}

}  // namespace

void adamw_advance(Stream, AdamWState* state, const AdamWFactors& f) {
  const auto t = double(++state->steps);
  state->decay = float(1 - state->lr * f.weight_decay);
  state->step_size = float(state->lr / (1 - std::pow(f.beta1, t)));
  state->root_correction2 = float(std::sqrt(1 - std::pow(f.beta2, t)));
}

template <>
void adamw(Stream, const AdamWBlock<float>& b, const AdamWState* state, const float* norm, float max_norm,
           const AdamWFactors& factors) {
  const Step step(*state, norm, max_norm, factors);
  for_each_chunk(b.n, b.decayed, state->decay, [&](int64_t begin, int64_t end, float decay) {
    b.low ? update(b, step, decay, begin, end, std::true_type())
          : update(b, step, decay, begin, end, std::false_type());
  });
}

template <>
void adamw(Stream, const AdamWBlock<bf16>& b, const AdamWState* state, const float* norm, float max_norm,
           const AdamWFactors& factors) {
  const Step step(*state, norm, max_norm, factors);
  for_each_chunk(b.n, b.decayed, state->decay, [&](int64_t begin, int64_t end, float decay) {
    b.w ? update(b, step, decay, begin, end, std::true_type(), state->steps)
        : update(b, step, decay, begin, end, std::false_type(), state->steps);
  });
}

}  // namespace gpt2::cpu
