#include "common/kernels/adamw.h"

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

__global__ void adamw_advance_kernel(AdamWState* state, AdamWFactors f) {
  const auto t = double(++state->steps);
  state->decay = float(1 - state->lr * f.weight_decay);
  state->step_size = float(state->lr / (1 - pow(f.beta1, t)));
  state->root_correction2 = float(sqrt(1 - pow(f.beta2, t)));
}

// The factors that are the same in every step, rounded once.
struct Rates {
  float rate1, rate2, beta2, eps;

  explicit Rates(const AdamWFactors& f)
      : rate1(float(1 - f.beta1)), rate2(float(1 - f.beta2)), beta2(float(f.beta2)), eps(float(f.eps)) {}
};

// Each parameter needs 28 bytes of memory traffic (30 with its copy) and a dozen operations. So a thread updates one piece, with
// four loads in flight.
__global__ void adamw_kernel(float* w, bf16* copy, const float* g, float* m, float* v, int64_t n,
                             int64_t decayed, const AdamWState* state, const float* norm, float max_norm,
                             Rates rates) {
  const int64_t first = first_of_thread<kFloats>();
  const Piece<kFloats> gradients = load_piece(g, first, n);
  Piece<kFloats> weight = load_piece(w, first, n);
  Piece<kFloats> mean = load_piece(m, first, n);
  Piece<kFloats> square = load_piece(v, first, n);
  const float scale = norm != nullptr ? fminf(1.0f, max_norm / (*norm + 1e-6f)) : 1.0f;
  const float decay = state->decay, step_size = state->step_size, correction = state->root_correction2;
  for (int k = 0; k < kFloats; ++k) {
    const float gradient = gradients[k] * scale;
    mean[k] += rates.rate1 * (gradient - mean[k]);
    square[k] = rates.beta2 * square[k] + rates.rate2 * gradient * gradient;
    const float root = sqrtf(square[k]) / correction;
    weight[k] = weight[k] * (first + k < decayed ? decay : 1.0f) - step_size * mean[k] / (root + rates.eps);
  }
  store_piece(w, first, n, weight);
  if (copy) store_piece(copy, first, n, weight);
  store_piece(m, first, n, mean);
  store_piece(v, first, n, square);
}

}  // namespace

void adamw_advance(Stream stream, AdamWState* state, const AdamWFactors& factors) {
  launch(adamw_advance_kernel, {1}, {1}, 0, stream, state, factors);
}

void adamw(Stream stream, float* w, bf16* copy, const float* g, float* m, float* v, int64_t n,
           int64_t decayed, const AdamWState* state, const float* norm, float max_norm,
           const AdamWFactors& factors) {
  launch(adamw_kernel, {blocks_for<kFloats>(n)}, {kBlock}, 0, stream, w, copy, g, m, v, n, decayed, state,
         norm, max_norm, Rates(factors));
}

}  // namespace gpt2::cuda
