// AdamW (Loshchilov & Hutter 2019, algorithm 2) with torch's defaults and order of operations. Weight decay
// is decoupled: w -= lr * weight_decay * w; it does not enter the moments.
//
// since 04_overfit; groups and clipping since 10_adamw
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

FOR_CPU_AND_CUDA(
    // Increments steps and computes the factors of that step.
    void adamw_advance(Stream stream, AdamWState* state, const AdamWFactors& factors);

    // Updates n parameters w, their bf16 copy (unless null: each new w, rounded), and their first and second moments m and v from the gradients g. Weight decay
    // applies to the first `decayed` parameters only. `norm` is null or the norm of all gradients; if it exceeds
    // max_norm, the gradients are scaled down to max_norm (torch's clip_grad_norm_).
    void adamw(Stream stream, float* w, bf16* copy, const float* g, float* m, float* v, int64_t n,
               int64_t decayed, const AdamWState* state, const float* norm, float max_norm,
               const AdamWFactors& factors);)
}  // namespace gpt2
