// Appends zeros to the last dimension, for kernels that need a larger one.
//
// since 08_flash_attention
#pragma once

#include "common/tensor/tensor.h"

namespace gpt2 {

// x (..., n) -> (..., size), size >= n: columns from n on are 0. Recorded on the tape; defined in views.cpp.
Tensor pad(const Tensor& x, int64_t size);

}  // namespace gpt2
