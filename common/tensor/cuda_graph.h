// A training step as one launch: the work that a piece of code queues on a GPU is recorded once, as a CUDA
// graph, and then replayed.
//
// During the recording nothing runs. The recorded code must not wait for the GPU and must not copy from
// ordinary host memory, so batches, learning rate and step count are written to fixed places on the device
// before a replay. A replay writes to all memory that was allocated during the recording, including the
// blocks that were freed afterwards. Other code may use those blocks between two replays, but the next replay
// overwrites them: data that must survive a replay has to be allocated before the recording.
//
// since 14_cuda_graph
#pragma once

#include <functional>
#include <memory>

#include "common/tensor/device.h"

namespace gpt2 {

class CudaGraph {
 public:
  // Records the work that `body` queues on the device's stream. Throws if the device is not a GPU.
  CudaGraph(Device device, const std::function<void()>& body);
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;

  void replay() const;

 private:
  Device device_;
  std::shared_ptr<void> executable_;  // a cudaGraphExec_t
};

}  // namespace gpt2
