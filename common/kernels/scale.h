// Multiplication by a number. T: float or bf16.
//
// since 01_module
#pragma once

#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

namespace cpu {

// y[i] = alpha * x[i]; n values; y may be x.
template <class T>
void scale(Stream stream, T* y, const T* x, float alpha, int64_t n);

}  // namespace cpu

namespace cuda {

template <class T>
void scale(Stream stream, T* y, const T* x, float alpha, int64_t n);

}  // namespace cuda
}  // namespace gpt2
