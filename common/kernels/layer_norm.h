// Layer normalisation (Ba, Kiros & Hinton 2016) of the last dimension:
//   y = (x - mean) * rstd * weight + bias,   rstd = 1 / sqrt(variance + eps)
// The variance is divided by C, not C - 1. Y, float or bf16, is the type of the gradient dy; it is bf16 only
// in the fused op (add_layer_norm.h).
//
// since 01_module
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // y, x: (rows, C); weight, bias: (C); mean, rstd: (rows), kept for the backward pass.
    void layer_norm_forward(Stream stream, float* y, float* mean, float* rstd, const float* x,
                            const float* weight, const float* bias, int64_t rows, int64_t C, float eps);

    // dx = rstd * (g - mean(g) - x_hat * mean(g * x_hat))   with x_hat = (x - mean) * rstd and g = dy * weight
    // dx, dy, x: (rows, C); dx may be dy.
    void layer_norm_backward_input(Stream stream, float* dx, const float* dy, const float* x,
                                   const float* weight, const float* mean, const float* rstd, int64_t rows,
                                   int64_t C);

    // Floats of workspace that layer_norm_backward_weight needs.
    int64_t layer_norm_backward_workspace(int64_t rows, int64_t C);

    // dweight = beta_w * dweight + sum over rows of dy * x_hat;   dbias = beta_b * dbias + sum over rows of dy.
    // If a beta is 0, the old value is not read. The order of additions depends only on the shape.
    template <class Y>
    void layer_norm_backward_weight(Stream stream, float* dweight, float* dbias, const Y* dy, const float* x,
                                    const float* mean, const float* rstd, float* workspace, int64_t rows,
                                    int64_t C, float beta_w, float beta_b);)
}  // namespace gpt2
