#include "common/app/step_graphs.h"

#include <fmt/core.h>

#include "common/base/error.h"
#include "common/tensor/context.h"

namespace gpt2::app {
namespace {

constexpr int kRunsBeforeRecording = 2;

int64_t kernel_calls() {
  int64_t calls = 0;
  for (const auto& kernel : context().counts.by_kernel()) calls += kernel.second.calls;
  return calls;
}

}  // namespace

StepGraphs::StepGraphs(Device device, bool on) : device_(device), on_(on) {
  require(!on || device.is_cuda(), "--cuda-graph on: this run is on {}; only a GPU has CUDA graphs",
          to_string(device));
}

void StepGraphs::run(const std::string& name, const std::function<void()>& work) {
  if (!on_) return work();
  Part& part = parts_[name];
  if (part.runs++ < kRunsBeforeRecording) return work();
  if (!part.graph) record(name, part, work);
  part.graph->replay();
}

void StepGraphs::record(const std::string& name, Part& part, const std::function<void()>& work) const {
  const int64_t before = kernel_calls();
  part.graph = std::make_unique<CudaGraph>(device_, work);
  fmt::print("CUDA graph \"{}\": {} kernel calls become one launch\n", name, kernel_calls() - before);
}

}  // namespace gpt2::app
