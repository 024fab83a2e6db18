// GELU, tanh approximation (Hendrycks & Gimpel 2016, section 2), as GPT-2 uses it:
//   gelu(x) = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
// T: float or bf16; computed in float and rounded once.
//
// since 01_module
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // y = gelu(x); n values; y may be x.
    template <class T> void gelu_forward(Stream stream, T* y, const T* x, int64_t n);

    // dx = gelu'(x) dy; n values; dx may be dy.
    template <class T> void gelu_backward(Stream stream, T* dx, const T* x, const T* dy, int64_t n);)
}  // namespace gpt2
