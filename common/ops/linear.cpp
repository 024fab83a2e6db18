#include "common/ops/linear.h"
#include "common/kernels/add.h"
#include "common/kernels/matmul.h"
#include "common/ops/autocast.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"
#include "common/ops/recompute.h"
#include "common/ops/row_sum.h"

namespace gpt2 {

ConstMatrixView as_matrix(const Tensor& x) {
  const int64_t cols = x.size(-1), rows = x.numel() / cols;
  return {read(x), x.dtype(), rows, cols, cols, 1};
}

MatrixView as_result(const Tensor& x) {
  const int64_t cols = x.size(-1), rows = x.numel() / cols;
  return {write(x), x.dtype(), rows, cols, cols, 1};
}

Tensor times_transposed(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Shape shape = x.shape();
  shape.back() = weight.size(0);
  const Tensor y = empty(shape, x.device(), x.dtype());
  Matmul product{as_matrix(x), as_matrix(weight).transposed(), as_result(y)};
  product.precision = context().matmul_precision;
  if (bias.defined()) product.bias = read(bias);
  DISPATCH(x.device(), matmul, product);
  return y;
}

Tensor input_gradient(const Tensor& dy, const Tensor& weight, const Shape& shape, DType dtype,
                      const Tensor& factor) {
  const Tensor dx = empty(shape, dy.device(), dtype);
  Matmul product{as_matrix(dy), as_matrix(weight), as_result(dx)};
  if (factor.defined()) product.alpha_on_device = factor.data<float>();
  product.precision = context().matmul_precision;
  DISPATCH(dx.device(), matmul, product);
  return dx;
}

void add_weight_gradient(Gradients& g, size_t i, const Tensor& dy, const Tensor& x, const Tensor& factor) {
  const auto [dweight, beta] = g.into(i, {dy.size(-1), x.size(-1)}, x.device());
  Matmul product{as_matrix(dy).transposed(), as_matrix(x), as_result(dweight)};
  product.beta = beta;
  if (factor.defined()) product.alpha_on_device = factor.data<float>();
  product.precision = context().matmul_precision;
  DISPATCH(x.device(), matmul, product);
}

namespace {

// On a GPU the product that computes the weight's gradient also sums the columns of dy, which it reads anyway.
void add_parameter_gradients_in_one(Gradients& g, size_t i, const Tensor& dy, const Tensor& x) {
  const int64_t out = dy.size(-1);
  const auto [dweight, beta_w] = g.into(i, {out, x.size(-1)}, x.device());
  const auto [dbias, beta_b] = g.into(i + 1, {out}, x.device());
  const Tensor sums = beta_b == 0 ? dbias : empty({out}, x.device(), dbias.dtype());
  Matmul product{as_matrix(dy).transposed(), as_matrix(x), as_result(dweight)};
  product.beta = beta_w;
  product.precision = context().matmul_precision;
  product.epilogue = Epilogue::row_sums;
  product.aux = write(sums);
  DISPATCH(x.device(), matmul, product);
  if (beta_b == 0) return;
  with_type(dbias.dtype(), [&, dbias = dbias](auto t) {
    using T = decltype(t);
    DISPATCH(x.device(), add, dbias.data<T>(), dbias.data<T>(), sums.data<T>(), out, out);
  });
}

}  // namespace

void add_parameter_gradients(Gradients& g, size_t i, const Tensor& dy, const Tensor& x,
                             const Tensor& partial_sums) {
  const bool both = g.wanted(i) && g.wanted(i + 1);
  if (both && !partial_sums.defined() && dy.device().is_cuda()) {
    return add_parameter_gradients_in_one(g, i, dy, x);
  }
  if (g.wanted(i)) add_weight_gradient(g, i, dy, x);
  if (g.wanted(i + 1)) add_row_sum(g, i + 1, {dy.size(-1)}, partial_sums.defined() ? partial_sums : dy);
}

Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias) {
  const auto [out, in] = weight.sizes<2>();
  require(input.size(-1) == in && (!bias.defined() || bias.shape() == Shape{out}),
          "linear: x is {} but weight is {}{}", to_string(input.shape()), to_string(weight.shape()),
          bias.defined() ? " and bias " + to_string(bias.shape()) : "");
  const DType dtype = matmul_dtype(input);
  const Tensor x = cast(input, dtype), w = cast_weight(weight, dtype);
  Tensor y = times_transposed(x, w, bias.defined() ? cast_weight(bias, dtype) : bias);
  const Kept kept(input, x);
  record({input, weight, bias}, y, [kept, w, shape = input.shape(), before = input.dtype()](Gradients& g) {
    const Tensor factor = g.wanted(2) ? Tensor() : g.take_factor(), dy = g.dy().contiguous();
    if (g.wanted(0)) g.add(0, input_gradient(dy, w, shape, before, factor));
    if (!factor.defined()) return add_parameter_gradients(g, 1, dy, kept(), g.partial_sums());
    if (g.wanted(1)) add_weight_gradient(g, 1, dy, kept(), factor);
  });
  return y;
}

}  // namespace gpt2
