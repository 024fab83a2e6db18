#include "common/kernels/cross_entropy.h"

#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"

namespace gpt2 {
namespace {

struct Saved {
  Tensor logits, log_sum_exp, targets;
};

void backward(Gradients& g, const Saved& s) {
  const int64_t V = s.logits.size(-1), rows = s.logits.numel() / V;
  const Tensor dlogits = empty(s.logits.shape(), s.logits.device());
  DISPATCH(dlogits.device(), cross_entropy_backward, dlogits.data<float>(), s.logits.data<float>(),
           s.log_sum_exp.data<float>(), s.targets.data<int32_t>(), g.dy().data<float>(), rows, V);
  g.add(0, dlogits);
}

}  // namespace

Tensor cross_entropy(const Tensor& input, const Tensor& targets) {
  const int64_t V = input.size(-1), rows = input.numel() / V;
  require(targets.numel() == rows, "cross_entropy: logits are {} but targets {}", to_string(input.shape()),
          to_string(targets.shape()));
  const Device device = input.device();
  const Tensor logits = input.to(DType::f32).contiguous(), ids = targets.contiguous(),
               losses = empty({rows}, device), log_sum_exp = empty({rows}, device);
  Tensor loss = empty({}, device);
  DISPATCH(device, cross_entropy_forward, loss.data<float>(), losses.data<float>(), log_sum_exp.data<float>(),
           logits.data<float>(), ids.data<int32_t>(), rows, V);
  record({logits}, loss, [s = Saved{saved(logits), log_sum_exp, ids}](Gradients& g) { backward(g, s); });
  return loss;
}

}  // namespace gpt2
