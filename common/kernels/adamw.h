// AdamW (Loshchilov & Hutter 2019, algorithm 2), torch's defaults and order of operations: weight decay is
// decoupled, w -= lr * weight_decay * w, and does not enter the moments.
//
// since 04_overfit; groups and clipping since 10_adamw
#pragma once

#include "common/tensor/device.h"

namespace gpt2 {

struct AdamWFactors {
  double beta1, beta2, eps, weight_decay;
};

// What changes from step to step lives on the device, so that a step can be replayed as part of a CUDA graph. The
// factors are worked out in double (1 - 0.999f is off by 1e-5) and rounded once, as torch does.
struct AdamWState {
  double lr;                                 // of the next step
  int64_t steps;                             // taken so far
  float decay, step_size, root_correction2;  // 1 - lr weight_decay, lr / (1 - beta1^t), sqrt(1 - beta2^t)
};

namespace cpu {

// ++steps, and the factors of that step.
void adamw_advance(Stream stream, AdamWState* state, const AdamWFactors& factors);

// That step over n parameters: w, their gradients g, first and second moments m and v (both updated). Only the
// first `decayed` parameters decay. Where `norm` is not null it is that of all gradients, and if it exceeds
// max_norm they count as scaled down to it (torch's clip_grad_norm_).
void adamw(Stream stream, float* w, const float* g, float* m, float* v, int64_t n, int64_t decayed,
           const AdamWState* state, const float* norm, float max_norm, const AdamWFactors& factors);

}  // namespace cpu

namespace cuda {

void adamw_advance(Stream stream, AdamWState* state, const AdamWFactors& factors);
void adamw(Stream stream, float* w, const float* g, float* m, float* v, int64_t n, int64_t decayed,
           const AdamWState* state, const float* norm, float max_norm, const AdamWFactors& factors);

}  // namespace cuda
}  // namespace gpt2
