#include "common/kernels/fused_cross_entropy.h"

#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"

namespace gpt2 {
namespace {

struct Saved {
  Tensor logits, largest, log_sum, targets;
  int64_t vocab_size;
};

void backward(Gradients& g, const Saved& s) {
  const int64_t rows = s.targets.numel(), columns = s.logits.size(-1);
  with_type(s.logits.dtype(), [&](auto t) {
    DISPATCH(s.logits.device(), fused_cross_entropy_backward, s.logits.data<decltype(t)>(),
             s.largest.data<float>(), s.log_sum.data<float>(), s.targets.data<int32_t>(),
             g.dy().data<float>(), rows, s.vocab_size, columns);
  });
  g.add(0, s.logits);
}

}  // namespace

Tensor fused_cross_entropy(const Tensor& logits, const Tensor& targets, int64_t vocab_size) {
  const int64_t columns = logits.size(-1), rows = logits.numel() / columns;
  require(targets.numel() == rows && vocab_size <= columns && logits.is_contiguous(),
          "fused_cross_entropy: logits are {} with strides {}, targets {}, the vocabulary {}",
          to_string(logits.shape()), to_string(logits.strides()), to_string(targets.shape()), vocab_size);
  const Device device = logits.device();
  const Tensor ids = targets.contiguous(), losses = empty({rows}, device), largest = empty({rows}, device),
               log_sum = empty({rows}, device);
  Tensor loss = empty({}, device);
  with_type(logits.dtype(), [&](auto t) {
    DISPATCH(device, fused_cross_entropy_forward, loss.data<float>(), losses.data<float>(),
             largest.data<float>(), log_sum.data<float>(), logits.data<decltype(t)>(), ids.data<int32_t>(),
             rows, vocab_size, columns);
  });
  record({logits}, loss,
         [s = Saved{saved(logits), largest, log_sum, ids, vocab_size}](Gradients& g) { backward(g, s); });
  return loss;
}

}  // namespace gpt2
