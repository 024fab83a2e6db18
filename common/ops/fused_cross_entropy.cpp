#include "common/kernels/fused_cross_entropy.h"

#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"

namespace gpt2 {
namespace {

// The memory of the logits if nobody but the caller refers to it, otherwise a copy.
Tensor to_overwrite(const Tensor& logits) {
  if (logits.owns_storage() && !logits.variable()->is_leaf) {
    const char* reason =
        "fused_cross_entropy has written their gradient over them; to read them, compute them under NoGrad";
    return {logits.storage()->take(reason), logits.offset(), logits.shape(), logits.strides(),
            logits.dtype()};
  }
  const Tensor copy = empty(logits.shape(), logits.device(), logits.dtype());
  copy_(copy, logits);
  return copy;
}

}  // namespace

Tensor fused_cross_entropy(const Tensor& logits, const Tensor& targets, int64_t vocab_size) {
  const int64_t columns = logits.size(-1), rows = logits.numel() / columns;
  require(targets.numel() == rows && vocab_size <= columns && logits.is_contiguous(),
          "fused_cross_entropy: logits are {} with strides {}, targets {}, the vocabulary {}",
          to_string(logits.shape()), to_string(logits.strides()), to_string(targets.shape()), vocab_size);
  const Device device = logits.device();
  const Tensor ids = targets.contiguous(), losses = empty({rows}, device);
  Tensor loss = empty({}, device);
  if (!recording({logits})) {
    with_type(logits.dtype(), [&](auto t) {
      DISPATCH(device, fused_cross_entropy_forward, loss.data<float>(), losses.data<float>(),
               logits.data<decltype(t)>(), ids.data<int32_t>(), rows, vocab_size, columns);
    });
    return loss;
  }
  Tensor gradient = to_overwrite(logits);
  with_type(logits.dtype(), [&](auto t) {
    DISPATCH(device, fused_cross_entropy_gradient, loss.data<float>(), losses.data<float>(),
             gradient.data<decltype(t)>(), ids.data<int32_t>(), rows, vocab_size, columns);
  });
  record({logits}, loss, [gradient = std::move(gradient)](Gradients& g) mutable {
    g.add(0, std::move(gradient), {.factor = g.dy(), .partial_sums = {}});
  });
  return loss;
}

}  // namespace gpt2
