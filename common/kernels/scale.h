// Multiplication by a number.
//
// since 01_module
#pragma once

#include "common/tensor/device.h"

namespace gpt2 {

namespace cpu {

// y[i] = alpha * x[i]; n values; y may be x.
void scale(Stream stream, float* y, const float* x, float alpha, int64_t n);

}  // namespace cpu

namespace cuda {

void scale(Stream stream, float* y, const float* x, float alpha, int64_t n);

}  // namespace cuda
}  // namespace gpt2
