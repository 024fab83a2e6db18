#include "common/kernels/layer_norm.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"

namespace gpt2 {
namespace {

struct Saved {
  Tensor x, weight, mean, rstd;
};

void backward(Gradients& g, const Saved& s) {
  const Device device = s.x.device();
  const int64_t C = s.x.size(-1), rows = s.x.numel() / C;
  const Tensor dy = g.dy().contiguous(), dx = empty(s.x.shape(), device);
  const auto target = [&](size_t i) {  // the kernel computes all gradients; an unwanted one is discarded
    return g.wanted(i) ? g.into(i, {C}, device) : Gradients::Target{empty({C}, device), 0};
  };
  const auto [dweight, beta_w] = target(1);
  const auto [dbias, beta_b] = target(2);
  const Tensor workspace = empty({DISPATCH_SIZE(device, layer_norm_backward_workspace, rows, C)}, device);
  DISPATCH(device, layer_norm_backward, dx.data<float>(), dweight.data<float>(), dbias.data<float>(),
           dy.data<float>(), s.x.data<float>(), s.weight.data<float>(), s.mean.data<float>(),
           s.rstd.data<float>(), workspace.data<float>(), rows, C, beta_w, beta_b);
  g.add(0, dx);
}

}  // namespace

Tensor layer_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, float eps) {
  const int64_t C = input.size(-1);
  require(weight.shape() == Shape{C} && bias.shape() == Shape{C},
          "layer_norm: x is {} but weight is {} and bias {}", to_string(input.shape()),
          to_string(weight.shape()), to_string(bias.shape()));
  const Tensor x = input.to(DType::f32).contiguous(), w = weight.to(DType::f32).contiguous(),
               b = bias.to(DType::f32).contiguous();
  const int64_t rows = x.numel() / C;
  Tensor y = empty(x.shape(), x.device());
  const Tensor mean = empty({rows}, x.device()), rstd = empty({rows}, x.device());
  DISPATCH(x.device(), layer_norm_forward, y.data<float>(), mean.data<float>(), rstd.data<float>(),
           x.data<float>(), w.data<float>(), b.data<float>(), rows, C, eps);
  record({x, w, b}, y, [s = Saved{saved(x), saved(w), mean, rstd}](Gradients& g) { backward(g, s); });
  return y;
}

}  // namespace gpt2
