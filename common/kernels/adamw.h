// AdamW (Loshchilov & Hutter 2019, algorithm 2), torch's defaults and order of operations: weight decay is
// decoupled, w -= lr * weight_decay * w, and does not enter the moments.
//
// since 04_overfit
#pragma once

#include "common/tensor/device.h"

namespace gpt2 {

// What one step needs. Doubles: 1 - 0.999f is off by 1e-5. The kernels work out what is the same for all
// parameters in double, on the host, and round it once, as torch does.
struct AdamWStep {
  double lr, beta1, beta2, eps, weight_decay;
  double correction1, correction2;  // 1 - beta^t, t = 1 in the first step
};

namespace cpu {

// One step over n parameters: w, their gradients g, first and second moments m and v (both updated).
void adamw(Stream stream, float* w, const float* g, float* m, float* v, int64_t n, const AdamWStep& step);

}  // namespace cpu

namespace cuda {

void adamw(Stream stream, float* w, const float* g, float* m, float* v, int64_t n, const AdamWStep& step);

}  // namespace cuda
}  // namespace gpt2
