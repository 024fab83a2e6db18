// Multiplication by a number. T: float or bf16.
//
// since 01_module
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // y[i] = alpha * x[i]; n values; y may be x.
    template <class T> void scale(Stream stream, T* y, const T* x, float alpha, int64_t n);

    // The same with alpha, one float, on the stream's device. since 07_fusion
    template <class T> void scale_by(Stream stream, T* y, const T* x, const float* alpha, int64_t n);)
}  // namespace gpt2
