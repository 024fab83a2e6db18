// The parts of a training step as CUDA graphs: each is recorded once, then replayed as a single launch.
//
//   app::StepGraphs graphs(device, options.cuda_graph);
//   for (...) graphs.run("update", [&] { optimizer.step(); });
//
// A replay repeats the recorded launches with the same addresses and arguments; `work` itself does not run. So whatever
// changes from step to step lies on the device, at a fixed address: the batch, the loss, the learning rate.
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
  // If not `on`, run() just does the work. Throws if it is on and the device is not a GPU.
  StepGraphs(Device device, bool on);

  // Does `work`, a part of the step with this name. The first two times it runs as it is, so that all memory is
  // allocated and all algorithms are chosen; the third time it is recorded, which prints how many launches it has; from
  // then on the recording is replayed. A name must always mean the same launches.
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
