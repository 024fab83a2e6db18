// Softmax of each row: y = exp(x - max(x)) / sum(exp(x - max(x))). An entry of -inf becomes 0.
//
// since 01_module
#pragma once

#include "common/tensor/device.h"

namespace gpt2 {

namespace cpu {

// y, x: (rows, cols); y may be x.
void softmax_forward(Stream stream, float* y, const float* x, int64_t rows, int64_t cols);

// dx = y * (dy - sum(y * dy)) for each row; dx may be dy.
void softmax_backward(Stream stream, float* dx, const float* y, const float* dy, int64_t rows, int64_t cols);

}  // namespace cpu

namespace cuda {

void softmax_forward(Stream stream, float* y, const float* x, int64_t rows, int64_t cols);
void softmax_backward(Stream stream, float* dx, const float* y, const float* dy, int64_t rows, int64_t cols);

}  // namespace cuda
}  // namespace gpt2
