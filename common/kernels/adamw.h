// AdamW (Loshchilov & Hutter 2019, algorithm 2) with torch's defaults and order of operations. Weight decay
// is decoupled: w -= lr * weight_decay * w; it does not enter the moments.
//
// since 04_overfit; groups and clipping since 10_adamw; bf16 weights since 15_bf16_weights
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

struct AdamWFactors {
  double beta1, beta2, eps, weight_decay;
};

// The values that change from step to step. They live on the device, so that a step can be replayed as part
// of a CUDA graph. The factors are computed in double (1 - 0.999f is off by 1e-5) and rounded once, as in
// torch.
struct AdamWState {
  double lr;                                 // learning rate of the next step
  int64_t steps;                             // steps taken so far
  float decay, step_size, root_correction2;  // 1 - lr weight_decay, lr / (1 - beta1^t), sqrt(1 - beta2^t)
};

// What a step updates: n parameters, their first and second moments m and v, from the gradients g. Weight decay
// applies to the first `decayed` parameters only.
template <class G>
struct AdamWBlock {
  float* w;   // the weights in float32; null: there are only those in bf16
  bf16* low;  // the weights in bf16; null: there are only those in float32
  const G* g;
  float *m, *v;
  int64_t n, decayed;
  // How low is rounded: to nearest if it is a copy of w for matrix products (G = float), stochastically if it is what
  // the model consists of (G = bf16; see stochastic_rounding.h). The random bits of low[i] belong to `seed`, to the
  // step, and to index first + i; first is a multiple of 4.
  uint64_t seed = 0;
  int64_t first = 0;
};

FOR_CPU_AND_CUDA(
    // Increments steps and computes the factors of that step.
    void adamw_advance(Stream stream, AdamWState* state, const AdamWFactors& factors);

    // Updates the block. `norm` is null or the norm of all gradients; if it exceeds max_norm, the gradients are
    // scaled down to max_norm (torch's clip_grad_norm_).
    template <class G> void adamw(Stream stream, const AdamWBlock<G>& block, const AdamWState* state,
                                  const float* norm, float max_norm, const AdamWFactors& factors);)
}  // namespace gpt2
