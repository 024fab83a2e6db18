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

// Returns the largest number of sequences below B for which a step fits into `available` bytes; 0 if one does not.
int64_t largest_batch(int64_t B, size_t available, const std::function<size_t(int64_t B)>& step_bytes);

// Throws if step_bytes(B), the memory for a training step on B sequences, is more than the free memory of
// `device`. The message gives both and the largest B that fits.
void require_memory(Device device, int64_t B, int64_t T, const std::function<size_t(int64_t B)>& step_bytes);

// What a rank keeps of the parameters. since 15_bf16_weights
struct WeightsPlan {
  DType dtype = DType::f32;
  bool master_weights = true;  // of parameters in bf16
  int ranks = 1;               // among which the optimizer's state is divided; since 17_zero
};

// What a training step takes, in bytes, by kind.
struct MemoryPlan {
  size_t weights = 0, gradients = 0, master_weights = 0, moments = 0;
  size_t activations = 0;  // what the forward pass leaves for the backward pass
  size_t
      working;   // what the backward pass needs beside them at its peak: gradients of activations, workspaces
  size_t slack;  // what the heap holds free between its blocks

  size_t total() const {
    return weights + gradients + master_weights + moments + activations + working + slack;
  }
};

// Returns what the heap of `device` holds for a GPT of this configuration, its AdamW, and training steps on (B, T)
// tokens; `dtype` is the data type of matrix products. A GPU computes attention by its default kernels.
template <class GPT, class GPTConfig>
MemoryPlan plan_memory(Device device, const GPTConfig& config, int64_t B, int64_t T, DType dtype,
                       const WeightsPlan& weights = {}) {
  const ParameterDevice on_meta(kMeta);
  const PlannedDevice planned(device);
  const Attention attention(attention_kernels({}, device, dtype));
  Heap& memory = heap(kMeta);
  memory.release_free_segments();
  GPT model(config);
  model.to(kMeta, weights.dtype);
  memory.reset_peak();
  MemoryPlan plan;
  plan.weights = memory.bytes_in_use();
  optim::AdamW optimizer(model, {.master_weights = weights.master_weights, .world_size = weights.ranks});
  for (const auto& [name, block] : optimizer.blocks())
    (name == "master_weights" ? plan.master_weights : plan.moments) += block.storage()->bytes();
  plan.gradients = memory.bytes_in_use() - plan.weights - plan.master_weights - plan.moments;
  const size_t kept = memory.bytes_in_use();
  const Autocast autocast(dtype);
  const Tensor x = empty({B, T}, kMeta, DType::i32);
  optimizer.zero_grad();
  const auto [logits, loss] = model(x, x);
  plan.activations = memory.bytes_in_use() - kept;
  loss.backward();
  optimizer.step();
  plan.working = memory.peak_bytes() - kept - plan.activations;
  plan.slack = memory.bytes_reserved() - memory.peak_bytes();
  return plan;
}

// Prints what a step takes, in megabytes by kind.
void print_memory(const MemoryPlan& plan);

// Prints what such training takes. Throws if it does not fit into the free memory of `device`.
template <class GPT, class GPTConfig>
void check_memory(Device device, const GPTConfig& config, int64_t B, int64_t T, DType dtype = DType::f32,
                  const WeightsPlan& weights = {}) {
  const size_t beside = device.is_cuda() ? kCudaLibraryBytes : 0;
  const KernelCounts counts = context().counts;  // a plan's calls do not count
  WeightsPlan possible = weights;
  possible.dtype = possible_dtype(weights.dtype, device);
  const DType products = possible_dtype(dtype, device);
  const auto plan = [&](int64_t batch) {
    return plan_memory<GPT>(device, config, batch, T, products, possible);
  };
  require_memory(device, B, T, [&](int64_t batch) { return plan(batch).total() + beside; });
  print_memory(plan(B));
  context().counts = counts;
}

}  // namespace gpt2::app
