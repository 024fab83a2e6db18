#include "tests/executor/planted_calls.h"

#include <cuda_runtime.h>

#include "common/tensor/context.h"

using planted::bug;

bool planted::exists(const std::string& name) {
  for (const char* known : {"bucket_read_before_it_is_ready", "adamw_before_the_all_reduce_ends",
                            "upload_buffer_reused_too_early", "loss_read_without_synchronising"})
    if (name == known) return true;
  return false;
}

// NCCL's stream waits for the gradients, and the computing stream for their averages.
cudaError_t planted_cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  int device = 0;
  cudaGetDevice(&device);
  const bool computes = stream == gpt2::context().stream({gpt2::DeviceType::cuda, device}).handle;
  if (bug == (computes ? "adamw_before_the_all_reduce_ends" : "bucket_read_before_it_is_ready"))
    return cudaSuccess;
  return cudaStreamWaitEvent(stream, event, flags);
}

// The upload of a batch waits until its pinned buffer has been read.
cudaError_t planted_cudaEventSynchronize(cudaEvent_t event) {
  return bug == "upload_buffer_reused_too_early" ? cudaSuccess : cudaEventSynchronize(event);
}

// Tensor::item() waits for its copy.
cudaError_t planted_cudaStreamSynchronize(cudaStream_t stream) {
  return bug == "loss_read_without_synchronising" ? cudaSuccess : cudaStreamSynchronize(stream);
}
