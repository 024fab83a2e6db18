// What a branch adds to the residual stream, and the LayerNorm that reads it, in one pass:
//   sum = x + branch,   y = layer_norm(sum)
// One kernel instead of an addition, a LayerNorm and a cast: sum is written once and not read back.
//
// B, the type of the branch, and Y, that of the result: float or bf16, both the same, or B float and Y bf16 (the
// position embeddings under autocast). The residual stream itself is float always.
//
// since 07_fusion
#pragma once

#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

namespace cpu {

// sum, x: (rows, C); branch: (branch_rows, C), its rows repeated, rows a multiple of branch_rows; y: (rows, C);
// weight, bias: (C); mean, rstd: (rows), kept for the backward pass. sum may be x.
template <class B, class Y>
void add_layer_norm_forward(Stream stream, float* sum, Y* y, float* mean, float* rstd, const float* x,
                            const B* branch, const float* weight, const float* bias, int64_t rows, int64_t C,
                            int64_t branch_rows, float eps);

// dx = dsum + (the gradient that y sends through the LayerNorm, see layer_norm.h): that of x and of branch alike,
// so dbranch is dx, rounded. dx, dsum, sum: (rows, C); dy, dbranch: (rows, C); dsum and dbranch may be null: then
// nothing is added, or dx is all that is written. dx may be dsum.
// The weights' gradients are layer_norm_backward_weight's, with x = sum.
template <class Y>
void add_layer_norm_backward_input(Stream stream, float* dx, Y* dbranch, const Y* dy, const float* dsum,
                                   const float* sum, const float* weight, const float* mean,
                                   const float* rstd, int64_t rows, int64_t C);

}  // namespace cpu

namespace cuda {

template <class B, class Y>
void add_layer_norm_forward(Stream stream, float* sum, Y* y, float* mean, float* rstd, const float* x,
                            const B* branch, const float* weight, const float* bias, int64_t rows, int64_t C,
                            int64_t branch_rows, float eps);
template <class Y>
void add_layer_norm_backward_input(Stream stream, float* dx, Y* dbranch, const Y* dy, const float* dsum,
                                   const float* sum, const float* weight, const float* mean,
                                   const float* rstd, int64_t rows, int64_t C);

}  // namespace cuda
}  // namespace gpt2
