// Layer normalisation (Ba, Kiros & Hinton 2016) of the last dimension:
//   y = (x - mean) * rstd * weight + bias,   rstd = 1 / sqrt(variance + eps)
// The variance is divided by C, not C - 1.
//
// since 01_module
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // y, x: (rows, C); weight, bias: (C); mean, rstd: (rows), kept for the backward pass.
    void layer_norm_forward(Stream stream, float* y, float* mean, float* rstd, const float* x,
                            const float* weight, const float* bias, int64_t rows, int64_t C, float eps);

    // With x_hat = (x - mean) * rstd and g = dy * weight:
    //   dx = rstd * (g - mean(g) - x_hat * mean(g * x_hat))
    //   dweight = beta_w * dweight + sum over rows of dy * x_hat;   dbias = beta_b * dbias + sum over rows of dy
    // dx, dy, x: (rows, C); dx may be dy. If a beta is 0, the old value is not read. dy and x are read once. The
    // order of additions depends only on the shape.
    void layer_norm_backward(Stream stream, float* dx, float* dweight, float* dbias, const float* dy,
                             const float* x, const float* weight, const float* mean, const float* rstd,
                             float* workspace, int64_t rows, int64_t C, float beta_w, float beta_b);

    // Floats of workspace that layer_norm_backward needs.
    int64_t layer_norm_backward_workspace(int64_t rows, int64_t C);

    // The number of partial sums of the branch's gradient in add_layer_norm_backward.
    int64_t layer_norm_partial_sums(int64_t rows);)
}  // namespace gpt2
