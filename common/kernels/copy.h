// Copies between memory layouts: what contiguous() and cat() are made of.
//
// since 01_module
#pragma once

#include <array>

#include "common/tensor/device.h"

namespace gpt2 {

using Dims4 = std::array<int64_t, 4>;

namespace cpu {

// y[i0*y_strides[0] + ...] = x[i0*x_strides[0] + ...] for all indices below `shape`; strides count elements.
void copy_strided(Stream stream, float* y, const float* x, const Dims4& shape, const Dims4& y_strides,
                  const Dims4& x_strides);

}  // namespace cpu

namespace cuda {

void copy_strided(Stream stream, float* y, const float* x, const Dims4& shape, const Dims4& y_strides,
                  const Dims4& x_strides);

}  // namespace cuda
}  // namespace gpt2
