// A training step as one launch: what a piece of code queues on a GPU is recorded once, as a CUDA graph, and replayed.
//
// Nothing runs while it is recorded, and nothing may wait for the GPU or come from ordinary host memory: batches,
// learning rate and step count are written into fixed places on the device before a replay. A replay uses the
// memory that the recording asked for, although most of it has been given back since: between two replays others may
// use it, but what they still want after the next one they must have allocated before the recording.
//
// since 14_cuda_graph
#pragma once

#include <functional>
#include <memory>

#include "common/tensor/device.h"

namespace gpt2 {

class CudaGraph {
 public:
  // Records what `body` queues on the device's stream. Fails on a CPU.
  CudaGraph(Device device, const std::function<void()>& body);
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;

  void replay() const;

 private:
  Device device_;
  std::shared_ptr<void> executable_;  // its cudaGraphExec_t
};

}  // namespace gpt2
