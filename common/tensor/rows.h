// Functions on the rows of tensors of token ids: the parts of torch's gather and cat that sampling needs.
// They run on the host.
//
// since 03_sampling
#pragma once

#include <vector>

#include "common/tensor/tensor.h"

namespace gpt2 {

// y[b, j] = x[b, indices[b, j]]; x (B, K) and indices (B, J) int32 -> (B, J)
Tensor gather(const Tensor& x, const Tensor& indices);

// Concatenates the rows of x (B, T) and y (B, U), which may be on any device -> (B, T + U), on the device of
// x
Tensor cat(const Tensor& x, const Tensor& y);

// The last n ids of each row of x (B, T), or all T if n > T -> (B, min(n, T)), on the device of x
Tensor last(const Tensor& x, int64_t n);

// The ids of one row of x (B, T).
std::vector<int32_t> row(const Tensor& x, int64_t b);

}  // namespace gpt2
