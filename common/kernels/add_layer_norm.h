// Adds a branch to the residual stream and applies the next LayerNorm, in one pass:
//   sum = x + branch,   y = layer_norm(sum)
// One kernel instead of an addition, a LayerNorm and a cast: sum is written once and not read back.
//
// X is the type of the residual stream, of weight and bias, and of the gradients of all three; B is the type of the
// branch and Y the type of the result. All are float, or all bf16 (since 15_bf16_weights). Under autocast X is float, Y is
// bf16, and B is bf16 or, for the position embeddings, float. The LayerNorm is that of the sum as it is stored.
//
// since 07_fusion
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // sum, x, y: (rows, C); branch: (branch_rows, C), repeated; rows is a multiple of branch_rows; weight, bias:
    // (C); mean, rstd: (rows), kept for the backward pass. sum may be x.
    template <class X, class B, class Y>
    void add_layer_norm_forward(Stream stream, X* sum, Y* y, float* mean, float* rstd, const X* x,
                                const B* branch, const X* weight, const X* bias, int64_t rows, int64_t C,
                                int64_t branch_rows, float eps);

    // y once more, from sum, mean and rstd, with the same bits.   since 16_recompute
    template <class X, class Y>
    void layer_norm_again(Stream stream, Y* y, const X* sum, const float* mean, const float* rstd,
                          const X* weight, const X* bias, int64_t rows, int64_t C);

    // dx = dsum + (the gradient of y through the LayerNorm, see layer_norm.h, as for dweight and dbias). The
    // gradients of x and of branch are both dx; dbranch, for a float X, is dx rounded to Y. dx, dsum, sum, dy, dbranch: (rows, C).
    // If dsum is null, nothing is added. If dbranch is null, only dx is written. dx may be dsum.
    // branch_sums, unless null: (layer_norm_partial_sums(rows), C); its sums over the first dimension are the sums
    // over rows of dx, rounded to Y: the gradient of the bias of the linear layer that computed the branch.
    // The workspace is that of layer_norm_backward.
    template <class X, class Y>
    void add_layer_norm_backward(Stream stream, X* dx, Y* dbranch, X* dweight, X* dbias, float* branch_sums,
                                 const Y* dy, const X* dsum, const X* sum, const X* weight, const float* mean,
                                 const float* rstd, float* workspace, int64_t rows, int64_t C, float beta_w,
                                 float beta_b);)
}  // namespace gpt2
