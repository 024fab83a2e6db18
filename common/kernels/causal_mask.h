// The causal mask: position i attends only to positions j <= i. T: float or bf16.
//
// since 01_module
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // y[m, i, j] = j <= i ? x[m, i, j] : masked; y, x: (matrices, positions, positions); y may be x. `masked` is
    // -inf in the forward pass and 0 in the backward pass, because masked entries have no gradient.
    template <class T>
    void causal_mask(Stream stream, T* y, const T* x, float masked, int64_t matrices, int64_t positions);)
}  // namespace gpt2
