#include "common/kernels/matmul.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"
#include "common/ops/row_sum.h"

namespace gpt2 {
namespace {

// dx = dy W
void add_input_gradient(Gradients& g, const Tensor& dy, const Tensor& x, const Tensor& weight) {
  const auto [out, in] = weight.sizes<2>();
  const int64_t rows = x.numel() / in;
  const Tensor dx = empty(x.shape(), x.device());
  const Matmul product{row_major<const float>(dy.data<float>(), rows, out),
                       row_major<const float>(weight.data<float>(), out, in),
                       row_major(dx.data<float>(), rows, in)};
  DISPATCH(dx.device(), matmul, product);
  g.add(0, dx);
}

// dW += dy^T x, in place
void add_weight_gradient(Gradients& g, const Tensor& dy, const Tensor& x, const Shape& shape) {
  const int64_t out = shape[0], in = shape[1], rows = x.numel() / in;
  const auto [dweight, beta] = g.into(1, shape, x.device());
  Matmul product{row_major<const float>(dy.data<float>(), rows, out).transposed(),
                 row_major<const float>(x.data<float>(), rows, in),
                 row_major(dweight.data<float>(), out, in)};
  product.beta = beta;
  DISPATCH(x.device(), matmul, product);
}

}  // namespace

Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias) {
  const auto [out, in] = weight.sizes<2>();
  require(input.size(-1) == in && (!bias.defined() || bias.shape() == Shape{out}),
          "linear: x is {} but weight is {}{}", to_string(input.shape()), to_string(weight.shape()),
          bias.defined() ? " and bias " + to_string(bias.shape()) : "");
  const Tensor x = input.contiguous(), w = weight.contiguous(), b = bias.defined() ? bias.contiguous() : bias;
  Shape shape = x.shape();
  shape.back() = out;
  Tensor y = empty(shape, x.device());
  const int64_t rows = x.numel() / in;
  Matmul product{row_major<const float>(x.data<float>(), rows, in),
                 row_major<const float>(w.data<float>(), out, in).transposed(),
                 row_major(y.data<float>(), rows, out)};
  if (b.defined()) product.bias = b.data<float>();
  DISPATCH(x.device(), matmul, product);
  record({x, w, b}, y, [x = saved(x), w = saved(w)](Gradients& g) {
    const Tensor dy = g.dy().contiguous();
    if (g.wanted(0)) add_input_gradient(g, dy, x, w);
    if (g.wanted(1)) add_weight_gradient(g, dy, x, w.shape());
    if (g.wanted(2)) add_row_sum(g, 2, {dy.size(-1)}, dy);
  });
  return y;
}

}  // namespace gpt2
