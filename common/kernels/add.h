// Addition; the second operand is repeated over the leading dimensions (the residual stream; token plus
// position embeddings). T and B: float and float, float and bf16 (under autocast a branch adds bf16 values to
// the residual stream), bf16 and bf16.
//
// since 01_module
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // y[i] = a[i] + b[i % period]; y, a: n values, b: `period` values, n a multiple of period. y may be a. If
    // period is n, y may also be b.
    template <class T, class B>
    void add(Stream stream, T* y, const T* a, const B* b, int64_t n, int64_t period);)
}  // namespace gpt2
