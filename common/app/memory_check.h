// Checks before training whether a training step fits into memory.
//
// It runs a step on the meta device, which has shapes but no values. That takes milliseconds, and the meta
// device's heap gets the same requests for tensors and workspaces as in the real step.
//
// since 04_overfit
#pragma once

#include <functional>

#include "common/app/options.h"
#include "common/ops/autocast.h"
#include "common/optim/adamw.h"

namespace gpt2::app {

// Throws if step_bytes(B), the peak memory of a training step on B sequences, is more than the free memory of
// `device`. The message gives both and the largest B that fits.
void require_memory(Device device, int64_t B, int64_t T, const std::function<size_t(int64_t B)>& step_bytes);

// The same for a GPT of this configuration with AdamW; `dtype` is the data type of matrix products.
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
