#include "common/optim/adamw.h"

#include <cmath>

#include "common/kernels/adamw.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"

namespace gpt2::optim {
namespace {

Tensor zeros(int64_t n, Device device) {
  const Tensor x = empty({n}, device);
  zero_(x);
  return x;
}

}  // namespace

AdamW::AdamW(const nn::Module& model, const AdamWOptions& options) : options_(options) {
  for (const auto& [name, tensor] : model.named_parameters()) parameters_.push_back(*tensor);
  require(!parameters_.empty(), "AdamW: the model has no parameters");
  const auto storage = parameters_[0].storage();
  const int64_t n = int64_t(storage->bytes() / sizeof(float));
  const Device device = storage->device();
  weights_ = Tensor(storage, 0, {n}, {1}, DType::f32);
  gradients_ = zeros(n, device);
  first_moment_ = zeros(n, device);
  second_moment_ = zeros(n, device);
  for (const Tensor& p : parameters_) {
    require(p.storage() == storage, "AdamW: the parameters lie apart; call model.to(device) first");
    p.variable()->grad = gradients_.as_strided(p.shape(), p.strides(), p.offset());
    p.variable()->stale = true;
  }
}

void AdamW::zero_grad() {
  for (const Tensor& p : parameters_) p.variable()->stale = true;
}

void AdamW::step() {
  for (const Tensor& p : parameters_) {
    if (!p.variable()->stale) continue;  // backward() has not reached it: its gradient is zero
    zero_(p.variable()->grad);
    p.variable()->stale = false;
  }
  ++steps_;
  const AdamWStep step{.lr = options_.lr,
                       .beta1 = options_.beta1,
                       .beta2 = options_.beta2,
                       .eps = options_.eps,
                       .weight_decay = options_.weight_decay,
                       .correction1 = 1 - std::pow(options_.beta1, double(steps_)),
                       .correction2 = 1 - std::pow(options_.beta2, double(steps_))};
  DISPATCH(weights_.device(), adamw, weights_.data<float>(), gradients_.data<float>(),
           first_moment_.data<float>(), second_moment_.data<float>(), weights_.numel(), step);
}

}  // namespace gpt2::optim
