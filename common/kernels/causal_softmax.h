// Scale, causal mask and softmax of attention scores in one pass:
//   y[m, i, j] = softmax over j <= i of (scale * x[m, i, j]),   0 for j > i
// The half of the matrix right of the diagonal is never read, and is written as 0. T: float or bf16; the
// arithmetic is float.
//
// since 07_fusion
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // y, x: (matrices, positions, positions); scale is positive; y may be x.
    template <class T> void causal_softmax_forward(Stream stream, T* y, const T* x, float scale,
                                                   int64_t matrices, int64_t positions);

    // dx = scale * y * (dy - sum(y * dy)) for each row, and 0 right of the diagonal; dx may be dy.
    template <class T> void causal_softmax_backward(Stream stream, T* dx, const T* y, const T* dy,
                                                    float scale, int64_t matrices, int64_t positions);)
}  // namespace gpt2
