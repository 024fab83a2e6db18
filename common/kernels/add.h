// Addition, with the second operand repeated over leading dimensions (the residual stream; token plus
// position embeddings).
//
// since 01_module
#pragma once

#include "common/tensor/device.h"

namespace gpt2 {

namespace cpu {

// y[i] = a[i] + b[i % period]; y, a: n values, b: `period` values, n a multiple of period. y may be a,
// and b where period is n.
void add(Stream stream, float* y, const float* a, const float* b, int64_t n, int64_t period);

}  // namespace cpu

namespace cuda {

void add(Stream stream, float* y, const float* a, const float* b, int64_t n, int64_t period);

}  // namespace cuda
}  // namespace gpt2
