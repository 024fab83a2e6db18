// Zeros behind the last dimension, for kernels that want it larger than it is.
//
// since 08_flash_attention
#pragma once

#include "common/tensor/tensor.h"

namespace gpt2 {

// x (..., n) -> (..., size), size >= n: columns from n on are 0. Recorded; defined in views.cpp.
Tensor pad(const Tensor& x, int64_t size);

}  // namespace gpt2
