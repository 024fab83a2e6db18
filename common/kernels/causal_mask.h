// The causal mask: position i attends to the positions j <= i only.
//
// since 01_module
#pragma once

#include "common/tensor/device.h"

namespace gpt2 {

namespace cpu {

// y[m, i, j] = j <= i ? x[m, i, j] : masked; y, x: (matrices, T, T); y may be x. `masked` is -inf in the
// forward pass and 0 in the backward pass, where masked entries have no gradient.
void causal_mask(Stream stream, float* y, const float* x, float masked, int64_t matrices, int64_t T);

}  // namespace cpu

namespace cuda {

void causal_mask(Stream stream, float* y, const float* x, float masked, int64_t matrices, int64_t T);

}  // namespace cuda
}  // namespace gpt2
