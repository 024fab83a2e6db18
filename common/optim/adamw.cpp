#include "common/optim/adamw.h"

#include <algorithm>

#include "common/kernels/global_norm.h"
#include "common/ops/autocast.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"

namespace gpt2::optim {
namespace {

std::vector<Tensor> parameters_of(const nn::Module& model) {
  std::vector<Tensor> parameters;
  for (const auto& [name, tensor] : model.named_parameters()) parameters.push_back(*tensor);
  return parameters;
}

AdamWFactors factors_of(const AdamWOptions& o) { return {o.beta1, o.beta2, o.eps, o.weight_decay}; }

}  // namespace

AdamW::AdamW(const nn::Module& model, const AdamWOptions& options)
    : AdamW({parameters_of(model), options.weight_decay}, {{}, 0}, options) {
  bf16_copy_ = nullptr;
  for (const Tensor& p : parameters_) p.variable()->bf16_copy = nullptr;
}

AdamW::AdamW(const ParameterGroup& decayed, const ParameterGroup& not_decayed, const AdamWOptions& options)
    : options_(options), parameters_(decayed.parameters) {
  options_.weight_decay = decayed.weight_decay;
  parameters_.insert(parameters_.end(), not_decayed.parameters.begin(), not_decayed.parameters.end());
  require(!parameters_.empty(), "AdamW: the model has no parameters");
  require(not_decayed.weight_decay == 0, "AdamW: the second group's weight decay is {}, not 0",
          not_decayed.weight_decay);
  for (const Tensor& p : decayed.parameters) decayed_end_ = std::max(decayed_end_, p.offset() + p.numel());
  for (const Tensor& p : not_decayed.parameters) {
    require(p.offset() >= decayed_end_, "AdamW: parameters that decay must lie before those that do not");
  }
  make_blocks();
}

// Allocates gradients and moments with the same layout as the parameters.
void AdamW::make_blocks() {
  const auto storage = parameters_[0].storage();
  const int64_t n = int64_t(storage->bytes() / sizeof(float));
  const Device device = storage->device();
  weights_ = Tensor(storage, 0, {n}, {1}, DType::f32);
  gradients_ = zeros({n}, device);
  first_moment_ = zeros({n}, device);
  second_moment_ = zeros({n}, device);
  bf16_copy_ = std::make_shared<Bf16Copy>(weights_);
  for (const Tensor& p : parameters_) {
    require(p.storage() == storage, "AdamW: the parameters lie apart; call model.to(device) first");
    p.variable()->grad = gradients_.as_strided(p.shape(), p.strides(), p.offset());
    p.variable()->stale = true;
    p.variable()->bf16_copy = bf16_copy_;
  }
  state_ = std::make_shared<Storage>(device, sizeof(AdamWState));
  const AdamWState start{.lr = options_.lr, .steps = 0, .decay = 0, .step_size = 0, .root_correction2 = 0};
  backend(device).copy(state(), &start, sizeof start, context().stream(device));
  norm_ = empty({}, device);
  workspace_ = empty({DISPATCH_SIZE(device, global_norm_workspace, n)}, device);
}

void AdamW::zero_grad() {
  for (const Tensor& p : parameters_) p.variable()->stale = true;
}

void AdamW::finish_gradients() {
  for (const Tensor& p : parameters_) {
    if (!p.variable()->stale) continue;  // backward() has not reached it: its gradient is zero
    zero_(p.variable()->grad);
    p.variable()->stale = false;
  }
}

Tensor AdamW::clip_grad_norm(double max_norm) {
  finish_gradients();
  DISPATCH(norm_.device(), global_norm, norm_.data<float>(), gradients_.data<float>(),
           workspace_.data<float>(), gradients_.numel());
  max_norm_ = max_norm;
  return norm_;
}

void AdamW::set_lr(double lr) {
  const Device device = weights_.device();
  backend(device).copy(&state()->lr, &lr, sizeof lr, context().stream(device));
}

int64_t AdamW::steps() const {
  const Device device = weights_.device();
  int64_t steps = 0;
  backend(device).copy(&steps, &state()->steps, sizeof steps, context().stream(device));
  synchronize(device);
  return steps;
}

void AdamW::set_steps(int64_t steps) {
  const Device device = weights_.device();
  backend(device).copy(&state()->steps, &steps, sizeof steps, context().stream(device));
  synchronize(device);
}

void AdamW::step() {
  finish_gradients();
  const Device device = weights_.device();
  DISPATCH(device, adamw_advance, state(), factors_of(options_));
  bf16* copy = nullptr;
  if (bf16_copy_) {
    copy = bf16_copy_->written_with();
  } else {
    weights_.storage()->count_write();
  }
  DISPATCH(device, adamw, weights_.data<float>(), copy, gradients_.data<float>(), first_moment_.data<float>(),
           second_moment_.data<float>(), weights_.numel(), decayed_end_, state(),
           max_norm_ > 0 ? norm_.data<float>() : nullptr, float(max_norm_), factors_of(options_));
  max_norm_ = 0;
}

}  // namespace gpt2::optim
