#include "common/kernels/softmax.h"

#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"

namespace gpt2 {

Tensor softmax(const Tensor& input) {
  const Tensor x = input.to(DType::f32).contiguous();
  const int64_t cols = x.size(-1), rows = x.numel() / cols;
  Tensor y = empty(x.shape(), x.device());
  DISPATCH(x.device(), softmax_forward, y.data<float>(), x.data<float>(), rows, cols);
  record({x}, y, [y = saved(y), rows, cols](Gradients& g) {
    const Tensor dy = g.dy().contiguous(), dx = empty(y.shape(), y.device());
    DISPATCH(y.device(), softmax_backward, dx.data<float>(), y.data<float>(), dy.data<float>(), rows, cols);
    g.add(0, dx);
  });
  return y;
}

}  // namespace gpt2
