// GELU, tanh approximation (Hendrycks & Gimpel 2016, section 2), as GPT-2 uses it:
//   gelu(x) = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
//
// since 01_module
#pragma once

#include "common/tensor/device.h"

namespace gpt2 {

namespace cpu {

// y = gelu(x); n values; y may be x.
void gelu_forward(Stream stream, float* y, const float* x, int64_t n);

// dx = gelu'(x) dy; n values; dx may be dy.
void gelu_backward(Stream stream, float* dx, const float* x, const float* dy, int64_t n);

}  // namespace cpu

namespace cuda {

void gelu_forward(Stream stream, float* y, const float* x, int64_t n);
void gelu_backward(Stream stream, float* dx, const float* x, const float* dy, int64_t n);

}  // namespace cuda
}  // namespace gpt2
