#pragma once

#include "common/tensor/device.h"

// y (rows, C) = silu(gate) * up. x is (rows, 2 C): in each row C gates, then C values up. rows and C are at least 1.
void swiglu_forward(gpt2::Stream stream, float* y, const float* x, int64_t rows, int64_t C);

// dx (rows, 2 C), the gradient with respect to x, from the gradient dy (rows, C) with respect to y.
void swiglu_backward(gpt2::Stream stream, float* dx, const float* x, const float* dy, int64_t rows,
                     int64_t C);
