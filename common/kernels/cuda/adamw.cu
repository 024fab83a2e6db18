#include "common/kernels/adamw.h"

#include "common/kernels/cuda/pieces.cuh"
#include "common/kernels/stochastic_rounding.h"

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

// Stores the bf16 weights of a piece: a copy is rounded to nearest, what the model consists of stochastically.
template <class G>
__device__ void store_low(const AdamWBlock<G>& b, int64_t first, int64_t step, const Piece<kFloats>& weight) {
  if constexpr (std::is_same_v<G, float>) {
    store_piece(b.low, first, b.n, weight);
  } else {
    const PhiloxWords random = rounding_words(b.seed, step, b.first + first);
    const uint32_t words[] = {random.a, random.b, random.c, random.d};
    Piece<kFloats> exact;  // bf16 values, which store_piece need not round
    for (int k = 0; k < kFloats; ++k) exact[k] = stochastically_rounded(weight[k], words[k]);
    store_piece(b.low, first, b.n, exact);
  }
}

// Each float parameter needs 28 bytes of memory traffic (30 with its copy), each bf16 parameter 28 with its master
// weight (22 without), and both some dozens of operations. So a thread updates one piece, with four loads in flight.
template <class G>
__global__ void adamw_kernel(AdamWBlock<G> b, const AdamWState* state, const float* norm, float max_norm,
                             Rates rates) {
  const int64_t first = first_of_thread<kFloats>();
  const Piece<kFloats> gradients = load_piece<kFloats>(b.g, first, b.n);
  Piece<kFloats> weight;
  if (std::is_same_v<G, float> || b.w) {
    weight = load_piece(b.w, first, b.n);
  } else {
    weight = load_piece<kFloats>(b.low, first, b.n);
  }
  Piece<kFloats> mean = load_piece(b.m, first, b.n);
  Piece<kFloats> square = load_piece(b.v, first, b.n);
  const float scale = norm != nullptr ? fminf(1.0f, max_norm / (*norm + 1e-6f)) : 1.0f;
  const float decay = state->decay, step_size = state->step_size, correction = state->root_correction2;
  for (int k = 0; k < kFloats; ++k) {
    const float gradient = gradients[k] * scale;
    mean[k] += rates.rate1 * (gradient - mean[k]);
    square[k] = rates.beta2 * square[k] + rates.rate2 * gradient * gradient;
    const float root = sqrtf(square[k]) / correction;
    weight[k] = weight[k] * (first + k < b.decayed ? decay : 1.0f) - step_size * mean[k] / (root + rates.eps);
  }
  if (b.w) store_piece(b.w, first, b.n, weight);
  if (b.low) store_low(b, first, state->steps, weight);
  store_piece(b.m, first, b.n, mean);
  store_piece(b.v, first, b.n, square);
}

}  // namespace

void adamw_advance(Stream stream, AdamWState* state, const AdamWFactors& factors) {
  launch(adamw_advance_kernel, {1}, {1}, 0, stream, state, factors);
}

template <class G>
void adamw(Stream stream, const AdamWBlock<G>& block, const AdamWState* state, const float* norm,
           float max_norm, const AdamWFactors& factors) {
  launch(adamw_kernel<G>, {blocks_for<kFloats>(block.n)}, {kBlock}, 0, stream, block, state, norm, max_norm,
         Rates(factors));
}

template void adamw(Stream, const AdamWBlock<float>&, const AdamWState*, const float*, float,
                    const AdamWFactors&);
template void adamw(Stream, const AdamWBlock<bf16>&, const AdamWState*, const float*, float,
                    const AdamWFactors&);

}  // namespace gpt2::cuda
