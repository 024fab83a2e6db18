// The Euclidean norm of all gradients together. Gradient clipping compares it with its limit.
//
// since 10_adamw
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // Floats of workspace that global_norm needs.
    int64_t global_norm_workspace(int64_t n);

    // *norm = sqrt(sum of x[i]^2) over n values. The order of additions depends only on n.
    void global_norm(Stream stream, float* norm, const float* x, float* workspace, int64_t n);)
}  // namespace gpt2
