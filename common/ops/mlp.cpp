#include "common/kernels/gelu.h"
#include "common/ops/autocast.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/linear.h"
#include "common/ops/ops.h"
#include "common/ops/recompute.h"

namespace gpt2 {
namespace {

struct Hidden {
  Tensor before, after;  // input and output of the GELU, (..., 4C)
};

// after = gelu(before), before = x weight^T + bias; the GELU is the epilogue of the matrix product.
Hidden expand(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Shape shape = x.shape();
  shape.back() = weight.size(0);
  const Hidden h{empty(shape, x.device(), x.dtype()), empty(shape, x.device(), x.dtype())};
  Matmul product{as_matrix(x), as_matrix(weight).transposed(), as_result(h.after)};
  product.precision = context().matmul_precision;
  product.bias = read(bias);
  product.epilogue = Epilogue::gelu;
  product.aux = write(h.before);
  DISPATCH(x.device(), matmul, product);
  return h;
}

// The gradient of `before`: dy weight, times the derivative of the GELU at `before`.
Tensor hidden_gradient(const Tensor& dy, const Tensor& weight, const Tensor& before) {
  const Tensor dh = empty(before.shape(), dy.device(), dy.dtype());
  Matmul product{as_matrix(dy), as_matrix(weight), as_result(dh)};
  product.precision = context().matmul_precision;
  product.epilogue = Epilogue::gelu_grad;
  product.aux = write(before);
  DISPATCH(dy.device(), matmul, product);
  return dh;
}

struct Saved {
  Kept x;
  Tensor fc_weight, proj_weight;
  Tensor before;  // see Hidden
  Kept after;
  Shape shape;
  DType dtype;  // type of the input, before autocast
};

// How the result of the GELU is recomputed; empty if it is kept.
std::function<Tensor()> gelu_again(const Tensor& before) {
  if (!recomputes_gelu()) return {};
  return [before] {
    const Tensor after = empty(before.shape(), before.device(), before.dtype());
    with_type(before.dtype(), [&](auto t) {
      using T = decltype(t);
      DISPATCH(before.device(), gelu_forward, after.data<T>(), before.data<T>(), before.numel());
    });
    return after;
  };
}

void backward(Gradients& g, const Saved& s) {
  const Tensor dy = g.dy().contiguous();
  add_parameter_gradients(g, 3, dy, s.after(), g.partial_sums());
  const Tensor dh = hidden_gradient(dy, s.proj_weight, s.before);
  add_parameter_gradients(g, 1, dh, s.x());
  if (g.wanted(0)) g.add(0, input_gradient(dh, s.fc_weight, s.shape, s.dtype));
}

}  // namespace

Tensor mlp(const Tensor& input, const Tensor& fc_weight, const Tensor& fc_bias, const Tensor& proj_weight,
           const Tensor& proj_bias) {
  const auto [hidden, in] = fc_weight.sizes<2>();
  require(input.size(-1) == in && fc_bias.shape() == Shape{hidden} && proj_weight.size(1) == hidden &&
              proj_bias.shape() == Shape{proj_weight.size(0)},
          "mlp: x is {}, the layers are {} and {}", to_string(input.shape()), to_string(fc_weight.shape()),
          to_string(proj_weight.shape()));
  const DType dtype = matmul_dtype(input);
  const Tensor x = cast(input, dtype), fc = cast_weight(fc_weight, dtype),
               proj = cast_weight(proj_weight, dtype);
  const Hidden h = expand(x, fc, cast_weight(fc_bias, dtype));
  Tensor y = times_transposed(h.after, proj, cast_weight(proj_bias, dtype));
  record({input, fc_weight, fc_bias, proj_weight, proj_bias}, y,
         [s = Saved{Kept(input, x), fc, proj, h.before, Kept(h.after, gelu_again(h.before)), input.shape(),
                    input.dtype()}](Gradients& g) { backward(g, s); });
  return y;
}

}  // namespace gpt2
