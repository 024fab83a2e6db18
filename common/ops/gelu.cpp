#include "common/kernels/gelu.h"

#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"

namespace gpt2 {

Tensor gelu(const Tensor& input) {
  const Tensor x = input.contiguous();
  Tensor y = empty(x.shape(), x.device());
  DISPATCH(x.device(), gelu_forward, y.data<float>(), x.data<float>(), x.numel());
  record({x}, y, [x = saved(x)](Gradients& g) {
    const Tensor dy = g.dy().contiguous(), dx = empty(x.shape(), x.device());
    DISPATCH(x.device(), gelu_backward, dx.data<float>(), x.data<float>(), dy.data<float>(), x.numel());
    g.add(0, dx);
  });
  return y;
}

}  // namespace gpt2
