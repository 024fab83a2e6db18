// Whether a training step fits into memory, before it starts.
//
// A step is run on the meta device, which has shapes and no values: that takes milliseconds and asks its heap for
// every tensor and workspace that the real step will ask for.
//
// since 04_overfit
#pragma once

#include <functional>

#include "common/app/options.h"
#include "common/ops/autocast.h"
#include "common/optim/adamw.h"

namespace gpt2::app {

// Fails if step_bytes(B), the most that a training step on B sequences needs, is more than `device` has free;
// names both, and the largest B that fits.
void require_memory(Device device, int64_t B, int64_t T, const std::function<size_t(int64_t B)>& step_bytes);

// The same for a GPT of this configuration and AdamW; `dtype` is that of matrix products.
template <class GPT, class GPTConfig>
void check_memory(Device device, const GPTConfig& config, int64_t B, int64_t T, DType dtype = DType::f32) {
  const ParameterDevice on_meta(kMeta);
  GPT model(config);
  model.to(kMeta);
  optim::AdamW optimizer(model, {});
  Heap& memory = heap(kMeta);
  require_memory(device, B, T, [&](int64_t batch) {
    memory.reset_peak();
    const Autocast autocast(dtype);
    const Tensor x = empty({batch, T}, kMeta, DType::i32);
    optimizer.zero_grad();
    const auto [logits, loss] = model(x, x);
    loss.backward();
    optimizer.step();
    return memory.peak_bytes();
  });
  context().counts.reset();
}

}  // namespace gpt2::app
