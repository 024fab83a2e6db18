// The mean of the rows' losses.
//
// since 04_overfit
#pragma once

#include "common/tensor/device.h"

namespace gpt2::cuda {

// mean: one float; values: n floats, added in an order that depends only on n.
void mean(Stream stream, float* mean, const float* values, int64_t n);

}  // namespace gpt2::cuda
