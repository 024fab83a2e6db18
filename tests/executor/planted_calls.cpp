#include "tests/executor/planted_calls.h"

#include <cuda_runtime.h>
#include <nccl.h>

#include <optional>

#include "common/tensor/context.h"

using planted::bug;

bool planted::exists(const std::string& name) {
  for (const char* known : {"bucket_read_before_it_is_ready", "adamw_before_the_all_reduce_ends",
                            "upload_buffer_reused_too_early", "loss_read_without_synchronising"})
    if (name == known) return true;
  return false;
}

// ---- NCCL's stream waits for the gradients, and the computing stream for their averages

namespace {

struct Wait {
  cudaStream_t stream;
  cudaEvent_t event;
  unsigned flags;
};
std::optional<Wait> postponed;          // until it is known for which collective it is
bool last_collective_is_float = false;  // of gradients or the loss, not of values of the host

bool computes(cudaStream_t stream) {
  int device = 0;
  cudaGetDevice(&device);
  return stream == gpt2::context().stream({gpt2::DeviceType::cuda, device}).handle;
}

void catch_up(bool leave_out) {
  if (postponed && !leave_out) cudaStreamWaitEvent(postponed->stream, postponed->event, postponed->flags);
  postponed.reset();
}

}  // namespace

cudaError_t planted_cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  if (bug == "bucket_read_before_it_is_ready" && !computes(stream)) {
    postponed = {stream, event, flags};
    return cudaSuccess;
  }
  if (bug == "adamw_before_the_all_reduce_ends" && computes(stream) && last_collective_is_float)
    return cudaSuccess;
  return cudaStreamWaitEvent(stream, event, flags);
}

ncclResult_t planted_ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type,
                                   ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
  catch_up(/*leave_out=*/op == ncclAvg);
  last_collective_is_float = type == ncclFloat;
  return ncclAllReduce(from, to, count, type, op, comm, stream);
}

ncclResult_t planted_ncclBroadcast(const void* from, void* to, size_t count, ncclDataType_t type, int root,
                                   ncclComm_t comm, cudaStream_t stream) {
  catch_up(/*leave_out=*/false);
  last_collective_is_float = false;
  return ncclBroadcast(from, to, count, type, root, comm, stream);
}

// ---- the host waits for the GPU

// The upload of a batch waits until its pinned buffer has been read.
cudaError_t planted_cudaEventSynchronize(cudaEvent_t event) {
  return bug == "upload_buffer_reused_too_early" ? cudaSuccess : cudaEventSynchronize(event);
}

// Tensor::item() waits for its copy.
cudaError_t planted_cudaStreamSynchronize(cudaStream_t stream) {
  return bug == "loss_read_without_synchronising" ? cudaSuccess : cudaStreamSynchronize(stream);
}
