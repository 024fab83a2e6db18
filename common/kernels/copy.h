// Copies between memory layouts and between types; used by contiguous(), cat() and casts. Y and X are each
// float or bf16; float to bf16 rounds to nearest, ties to even.
//
// since 01_module
#pragma once

#include <array>

#include "common/kernels/processors.h"
#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

using Dims4 = std::array<int64_t, 4>;

FOR_CPU_AND_CUDA(
    // y[i0*y_strides[0] + ...] = x[i0*x_strides[0] + ...] for all indices below `shape`; strides count elements.
    template <class Y, class X> void copy_strided(Stream stream, Y* y, const X* x, const Dims4& shape,
                                                  const Dims4& y_strides, const Dims4& x_strides);)
}  // namespace gpt2
