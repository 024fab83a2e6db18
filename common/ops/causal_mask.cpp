#include "common/kernels/causal_mask.h"

#include <cmath>

#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"

namespace gpt2 {
namespace {

Tensor masked(const Tensor& input, float value) {
  const Tensor x = input.contiguous(), y = empty(x.shape(), x.device(), x.dtype());
  const int64_t positions = x.size(-1);
  with_type(x.dtype(), [&](auto t) {
    using T = decltype(t);
    DISPATCH(x.device(), causal_mask, y.data<T>(), x.data<T>(), value, x.numel() / (positions * positions),
             positions);
  });
  return y;
}

}  // namespace

Tensor causal_mask(const Tensor& input) {
  require(input.dim() >= 2 && input.size(-1) == input.size(-2), "causal_mask: x is {}, expected (..., T, T)",
          to_string(input.shape()));
  Tensor y = masked(input, -INFINITY);
  record({input}, y, [](Gradients& g) { g.add(0, masked(g.dy(), 0)); });
  return y;
}

}  // namespace gpt2
