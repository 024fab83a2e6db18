#include "common/kernels/causal_softmax.h"

#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"

namespace gpt2 {
namespace {

Tensor backward(const Tensor& y, const Tensor& dy, float scale) {
  const Tensor dx = empty(y.shape(), y.device(), y.dtype());
  const int64_t positions = y.size(-1), matrices = y.numel() / (positions * positions);
  with_type(y.dtype(), [&](auto t) {
    using T = decltype(t);
    DISPATCH(y.device(), causal_softmax_backward, dx.data<T>(), y.data<T>(), dy.data<T>(), scale, matrices,
             positions);
  });
  return dx;
}

}  // namespace

Tensor causal_softmax(const Tensor& input, double scale) {
  require(input.dim() >= 2 && input.size(-1) == input.size(-2),
          "causal_softmax: x is {}, expected (..., T, T)", to_string(input.shape()));
  const Tensor x = input.contiguous();
  const int64_t positions = x.size(-1), matrices = x.numel() / (positions * positions);
  Tensor y = empty(x.shape(), x.device(), x.dtype());
  with_type(x.dtype(), [&](auto t) {
    using T = decltype(t);
    DISPATCH(x.device(), causal_softmax_forward, y.data<T>(), x.data<T>(), float(scale), matrices, positions);
  });
  record({x}, y, [y = saved(y), factor = float(scale)](Gradients& g) {
    g.add(0, backward(y, g.dy().contiguous(), factor));
  });
  return y;
}

}  // namespace gpt2
