// Checks before training whether a training step fits into memory.
//
// It runs a step on the meta device, which has shapes but no values. That takes milliseconds, and the meta
// device's heap gets the same requests for tensors and workspaces as in the real step. What counts is what the heap
// then holds: it keeps some free memory between its blocks.
//
// since 04_overfit
#pragma once

#include <functional>

#include "common/app/options.h"
#include "common/app/resolve.h"
#include "common/ops/autocast.h"
#include "common/optim/adamw.h"

namespace gpt2::app {

// What CUDA's libraries hold beside the heap, in bytes: kernels that are loaded when they first run, and cuBLASLt's
// workspace. An estimate.
inline constexpr size_t kCudaLibraryBytes = size_t{300} << 20;

// Throws if step_bytes(B), the memory for a training step on B sequences, is more than the free memory of
// `device`. The message gives both and the largest B that fits.
void require_memory(Device device, int64_t B, int64_t T, const std::function<size_t(int64_t B)>& step_bytes);

// What a rank keeps of the parameters. since 15_bf16_weights
struct WeightsPlan {
  DType dtype = DType::f32;
  bool master_weights = true;  // of parameters in bf16
  int ranks = 1;               // among which the optimizer's state is divided; since 17_zero
};

// Returns the bytes that the heap of `device` holds for a GPT of this configuration, its AdamW, and training steps on
// (B, T) tokens; `dtype` is the data type of matrix products. A GPU computes attention by its default kernels.
template <class GPT, class GPTConfig>
size_t planned_bytes(Device device, const GPTConfig& config, int64_t B, int64_t T, DType dtype,
                     const WeightsPlan& weights = {}) {
  const ParameterDevice on_meta(kMeta);
  const PlannedDevice planned(device);
  const Attention attention(attention_kernels({}, device, dtype));
  heap(kMeta).release_free_segments();
  GPT model(config);
  model.to(kMeta, weights.dtype);
  optim::AdamW optimizer(model, {.master_weights = weights.master_weights, .world_size = weights.ranks});
  const Autocast autocast(dtype);
  const Tensor x = empty({B, T}, kMeta, DType::i32);
  optimizer.zero_grad();
  const auto [logits, loss] = model(x, x);
  loss.backward();
  optimizer.step();
  context().counts.reset();
  return heap(kMeta).bytes_reserved();
}

// Throws if such training does not fit into the free memory of `device`.
template <class GPT, class GPTConfig>
void check_memory(Device device, const GPTConfig& config, int64_t B, int64_t T, DType dtype = DType::f32,
                  const WeightsPlan& weights = {}) {
  const size_t beside = device.is_cuda() ? kCudaLibraryBytes : 0;
  require_memory(device, B, T, [&](int64_t batch) {
    return planned_bytes<GPT>(device, config, batch, T, dtype, weights) + beside;
  });
}

}  // namespace gpt2::app
