// Softmax of each row: y = exp(x - max(x)) / sum(exp(x - max(x))). An entry of -inf becomes 0.
//
// since 01_module
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // y, x: (rows, cols); y may be x.
    void softmax_forward(Stream stream, float* y, const float* x, int64_t rows, int64_t cols);

    // dx = y * (dy - sum(y * dy)) for each row; dx may be dy.
    void softmax_backward(Stream stream, float* dx, const float* y, const float* dy, int64_t rows,
                          int64_t cols);)
}  // namespace gpt2
