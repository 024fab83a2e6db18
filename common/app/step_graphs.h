// The parts of a training step as CUDA graphs: each is recorded once, then replayed as a single launch.
//
//   app::StepGraphs graphs(device, options.cuda_graph);
//   for (...) graphs.run("update", [&] { optimizer.step(); });
//
// A replay repeats the recorded launches with the same addresses and arguments; `work` itself does not run.
// So everything that changes from step to step must be on the device at a fixed address: the batch, the loss,
// the learning rate.
//
// since 14_cuda_graph
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/tensor/cuda_graph.h"

namespace gpt2::app {

class StepGraphs {
 public:
  // If `on` is false, run() just calls `work`. Throws if `on` is true and the device is not a GPU.
  StepGraphs(Device device, bool on);

  // Runs `work`, the part of the step with this name. The first two calls run it normally, which allocates
  // all memory and chooses all algorithms. The third call records it and prints the number of launches. Later
  // calls replay the recording. A name must always stand for the same launches.
  void run(const std::string& name, const std::function<void()>& work);

 private:
  struct Part {
    int runs = 0;
    std::unique_ptr<CudaGraph> graph;
  };
  void record(const std::string& name, Part& part, const std::function<void()>& work) const;

  Device device_;
  bool on_;
  std::map<std::string, Part> parts_;
};

}  // namespace gpt2::app
