// The gradient of a tensor that was added to every row.
//
// since 04_overfit
#pragma once

#include "common/kernels/sum_rows.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"

namespace gpt2 {

// Adds the sum of contiguous dy over its leading dimensions to the gradient of input i, which has this shape.
inline void add_row_sum(Gradients& g, size_t i, const Shape& shape, const Tensor& dy) {
  const int64_t cols = numel(shape), rows = dy.numel() / cols;
  const Tensor workspace = empty({DISPATCH_SIZE(dy.device(), sum_rows_workspace, rows, cols)}, dy.device());
  const auto [sum, beta] = g.into(i, shape, dy.device());
  with_type(sum.dtype(), [&, sum = sum, beta = beta](auto y) {
    with_type(dy.dtype(), [&](auto x) {
      DISPATCH(dy.device(), sum_rows, sum.data<decltype(y)>(), dy.data<decltype(x)>(),
               workspace.data<float>(), rows, cols, beta);
    });
  });
}

}  // namespace gpt2
