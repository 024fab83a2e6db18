// Work that is the same in every step: launch by launch, or, on a GPU with --cuda-graph, as one recorded graph.
//
// since 10_adamw
#pragma once

#include <functional>
#include <memory>

#include "common/tensor/cuda_graph.h"

namespace gpt2::app {

class Replay {
 public:
  Replay(Device device, bool as_graph) : device_(device), as_graph_(as_graph) {}

  // The first two times the work is done as it is, so that all memory is there and all algorithms are chosen. Then
  // it is recorded, and from now on replayed: what it reads and writes must stay in its place.
  void operator()(const std::function<void()>& work) {
    constexpr int kWarmUp = 2;
    if (!as_graph_ || runs_++ < kWarmUp) return work();
    if (!graph_) graph_ = std::make_unique<CudaGraph>(device_, work);
    graph_->replay();
  }

 private:
  Device device_;
  bool as_graph_;
  int runs_ = 0;
  std::unique_ptr<CudaGraph> graph_;
};

}  // namespace gpt2::app
