#include "common/kernels/gelu.h"

#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"

namespace gpt2 {

Tensor gelu(const Tensor& input) {
  const Tensor x = input.contiguous();
  Tensor y = empty(x.shape(), x.device(), x.dtype());
  with_type(x.dtype(), [&](auto t) {
    using T = decltype(t);
    DISPATCH(x.device(), gelu_forward, y.data<T>(), x.data<T>(), x.numel());
  });
  record({x}, y, [x = saved(x)](Gradients& g) {
    const Tensor dy = g.dy().contiguous(), dx = empty(x.shape(), x.device(), x.dtype());
    with_type(x.dtype(), [&](auto t) {
      using T = decltype(t);
      DISPATCH(x.device(), gelu_backward, dx.data<T>(), x.data<T>(), dy.data<T>(), x.numel());
    });
    g.add(0, dx);
  });
  return y;
}

}  // namespace gpt2
