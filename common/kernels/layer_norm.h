// Layer normalisation (Ba, Kiros & Hinton 2016) of the last dimension:
//   y = (x - mean) * rstd * weight + bias,   rstd = 1 / sqrt(variance + eps),   variance over C, not C - 1
// Y, the type of a gradient that the fused op (add_layer_norm.h) may have in fewer bits: float or bf16.
//
// since 01_module
#pragma once

#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

namespace cpu {

// y, x: (rows, C); weight, bias: (C); mean, rstd: (rows), kept for the backward pass.
void layer_norm_forward(Stream stream, float* y, float* mean, float* rstd, const float* x,
                        const float* weight, const float* bias, int64_t rows, int64_t C, float eps);

// dx, with x_hat = (x - mean) * rstd and g = dy * weight:   dx = rstd * (g - mean(g) - x_hat * mean(g * x_hat))
// dx, dy, x: (rows, C); dx may be dy.
void layer_norm_backward_input(Stream stream, float* dx, const float* dy, const float* x, const float* weight,
                               const float* mean, const float* rstd, int64_t rows, int64_t C);

// Floats of workspace that layer_norm_backward_weight needs.
int64_t layer_norm_backward_workspace(int64_t rows, int64_t C);

// dweight = beta_w * dweight + sum over rows of dy * x_hat;   dbias = beta_b * dbias + sum over rows of dy.
// With a beta of 0 the old value is not read. The order of additions depends on the shape alone.
template <class Y>
void layer_norm_backward_weight(Stream stream, float* dweight, float* dbias, const Y* dy, const float* x,
                                const float* mean, const float* rstd, float* workspace, int64_t rows,
                                int64_t C, float beta_w, float beta_b);

}  // namespace cpu

namespace cuda {

void layer_norm_forward(Stream stream, float* y, float* mean, float* rstd, const float* x,
                        const float* weight, const float* bias, int64_t rows, int64_t C, float eps);
void layer_norm_backward_input(Stream stream, float* dx, const float* dy, const float* x, const float* weight,
                               const float* mean, const float* rstd, int64_t rows, int64_t C);
int64_t layer_norm_backward_workspace(int64_t rows, int64_t C);
template <class Y>
void layer_norm_backward_weight(Stream stream, float* dweight, float* dbias, const Y* dy, const float* x,
                                const float* mean, const float* rstd, float* workspace, int64_t rows,
                                int64_t C, float beta_w, float beta_b);

}  // namespace cuda
}  // namespace gpt2
