#include "common/tensor/cuda_graph.h"

#include <cuda_runtime.h>

#include "common/base/error.h"
#include "common/tensor/context.h"
#include "common/tensor/cuda_check.h"
#include "common/tensor/memory.h"

namespace gpt2 {
namespace {

cudaStream_t stream_of(Device device) { return static_cast<cudaStream_t>(context().stream(device).handle); }

// Ends the recording even if `body` throws, because a stream that is still recording refuses other work.
cudaGraph_t record(cudaStream_t stream, const std::function<void()>& body) {
  cudaGraph_t graph = nullptr;
  CUDA_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  try {
    body();
  } catch (...) {
    if (cudaStreamEndCapture(stream, &graph) == cudaSuccess) cudaGraphDestroy(graph);
    throw;
  }
  CUDA_CHECK(cudaStreamEndCapture(stream, &graph));
  return graph;
}

}  // namespace

CudaGraph::CudaGraph(Device device, const std::function<void()>& body) : device_(device) {
  require(device.is_cuda(), "CUDA graphs need a GPU, not {}", to_string(device));
  heap(device).keep_segments();
  cudaGraph_t graph = record(stream_of(device), body);
  cudaGraphExec_t executable = nullptr;
  const cudaError_t error = cudaGraphInstantiate(&executable, graph);
  CUDA_CHECK(cudaGraphDestroy(graph));
  cuda::check(error, "cudaGraphInstantiate", __FILE__, __LINE__);
  executable_ = std::shared_ptr<void>(
      executable, [](void* graph) { cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)); });
}

void CudaGraph::replay() const {
  CUDA_CHECK(cudaGraphLaunch(static_cast<cudaGraphExec_t>(executable_.get()), stream_of(device_)));
}

}  // namespace gpt2
