// Exercise 04.3: an op with its backward pass.
#include "squared_relu.h"

#include <algorithm>

#include "common/ops/autograd.h"
#include "tests/exercises/todo.h"

using namespace gpt2;

namespace {

void backward(Gradients& g, const Tensor& x) {
  const int64_t n = x.numel();
  const float* in = x.data<float>();
  const auto [target, beta] = g.into(0, x.shape(), x.device());
  float* grad = target.data<float>();
  //@solution 04.3 backward
  const Tensor arrived = g.dy().contiguous();
  const float* dy = arrived.data<float>();
  for (int64_t i = 0; i < n; ++i) {
    const float before = beta == 0 ? 0 : grad[i];
    grad[i] = before + 2 * std::max(in[i], 0.0f) * dy[i];
  }
  //@stub
  //| // TODO(04.3): grad[i] = beta * grad[i] + (the derivative at in[i]) * (the gradient that arrives).
  //| COURSE_TODO("04.3");
  //@end
}

}  // namespace

Tensor squared_relu(const Tensor& input) {
  const Tensor x = input.contiguous();
  const int64_t n = x.numel();
  Tensor y = empty(x.shape());
  const float* in = x.data<float>();
  float* out = y.data<float>();
  //@solution 04.3 forward
  for (int64_t i = 0; i < n; ++i) out[i] = std::max(in[i], 0.0f) * std::max(in[i], 0.0f);
  //@stub
  //| // TODO(04.3): out[i] = ...
  //| COURSE_TODO("04.3");
  //@end
  record({x}, y, [x = saved(x)](Gradients& g) { backward(g, x); });
  return y;
}
