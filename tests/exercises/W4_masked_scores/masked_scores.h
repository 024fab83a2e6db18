#pragma once

#include "common/tensor/tensor.h"

// The softmax of each row of `scores` (T, T) over the positions s that row t may see: s <= t, or s < prefix.
// All other entries of the result (T, T) are 0.
gpt2::Tensor past_weights(const gpt2::Tensor& scores, int64_t prefix);
