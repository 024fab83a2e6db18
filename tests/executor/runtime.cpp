#include "tests/executor/runtime.h"

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "tests/executor/symbols.h"

using Work = std::vector<std::function<void()>>;

struct CUstream_st {
  bool captures = false;
  Work captured;
  cudaStream_t origin =
      nullptr;  // the capturing stream that this one joined by waiting for one of its events
};
struct CUgraph_st {
  Work work;
};
struct CUgraphExec_st {
  Work work;
};
struct CUevent_st {
  int64_t time = 0;                // submitted_work when the event was recorded
  cudaStream_t capture = nullptr;  // the capturing stream in whose recording this event was recorded
};

namespace {

// The executor's clock: it counts pieces of work instead of milliseconds. What is chosen by timing, such as an algorithm
// for matrix products, is then the same in every run.
int64_t submitted_work = 0;

constexpr int kMultiProcessors = 4;  // few, so that loops over the grid have to loop
// Per block, on compute capability 8.6, 8.9 and 12.0. Others from 8.0 on have more.
constexpr int kMaxSharedBytes = 99 << 10;
constexpr size_t kAlignment = 256;

cudaError_t last_error = cudaSuccess;

cudaError_t result(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

struct Allocation {
  size_t bytes;
  bool on_device;  // or pinned host memory
  size_t guard;    // bytes before it, and after it
};

std::map<const char*, Allocation>& allocations() {
  static auto& map = *new std::map<const char*, Allocation>;  // outlives every global that frees memory
  return map;
}

size_t device_bytes_in_use = 0;

// One device, or as many as a test of several ranks asks for: each rank uses one.
int device_count() {
  const char* wanted = std::getenv("EXECUTOR_DEVICES");
  return wanted == nullptr ? 1 : std::atoi(wanted);
}

int current_device = 0;
bool exists(int device) { return device >= 0 && device < device_count(); }

size_t device_bytes() { return size_t(sysconf(_SC_PHYS_PAGES)) * size_t(sysconf(_SC_PAGESIZE)); }

// The last allocation that starts at or before `pointer`, or null.
const std::pair<const char* const, Allocation>* allocation_before(const void* pointer) {
  const auto next = allocations().upper_bound(static_cast<const char*>(pointer));
  return next == allocations().begin() ? nullptr : &*std::prev(next);
}

// The allocation that `pointer` points into, or null: ordinary host memory.
const Allocation* find_allocation(const void* pointer) {
  const auto* found = allocation_before(pointer);
  return found != nullptr && pointer < found->first + found->second.bytes ? &found->second : nullptr;
}

bool on_device(const void* pointer) {
  const Allocation* allocation = find_allocation(pointer);
  return allocation != nullptr && allocation->on_device;
}

cudaError_t allocate(void** pointer, size_t bytes, bool device) {
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (device && bytes > device_bytes() - device_bytes_in_use) return result(cudaErrorMemoryAllocation);
  const size_t guard = executor::observer == nullptr ? 0 : executor::kGuardBytes;
  void* block = nullptr;
  if (posix_memalign(&block, kAlignment, bytes + 2 * guard) != 0) return result(cudaErrorMemoryAllocation);
  *pointer = static_cast<char*>(block) + guard;
  std::memset(*pointer, 0xff, bytes);
  allocations()[static_cast<char*>(*pointer)] = {bytes, device, guard};
  if (device) device_bytes_in_use += bytes;
  return cudaSuccess;
}

cudaError_t release(void* pointer, bool device) {
  if (pointer == nullptr) return cudaSuccess;
  const auto allocation = allocations().find(static_cast<char*>(pointer));
  if (allocation == allocations().end() || allocation->second.on_device != device) {
    return result(cudaErrorInvalidValue);
  }
  if (device) device_bytes_in_use -= allocation->second.bytes;
  void* block = static_cast<char*>(pointer) - allocation->second.guard;
  allocations().erase(allocation);
  std::free(block);
  return cudaSuccess;
}

// The stream whose recording work on `stream` goes into; null if it is not recorded.
cudaStream_t capture_of(cudaStream_t stream) {
  if (stream == nullptr) return nullptr;
  if (stream->captures) return stream;
  const bool joined = stream->origin != nullptr && stream->origin->captures;
  return joined ? stream->origin : nullptr;
}

}  // namespace

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
  }
  return "unrecognized error code";
}

cudaError_t cudaPeekAtLastError() { return last_error; }

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = device_count();
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (!exists(device)) return result(cudaErrorInvalidDevice);
  current_device = device;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  *device = current_device;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (!exists(device)) return result(cudaErrorInvalidDevice);
  *properties = {"kernel executor on the CPU", device_bytes(), 9, 0, kMultiProcessors};
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (!exists(device)) return result(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      *value = kMultiProcessors;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      *value = 9;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      *value = 0;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = kMaxSharedBytes;
      return cudaSuccess;
  }
  return result(cudaErrorInvalidValue);
}

cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }

cudaError_t cudaMalloc(void** pointer, size_t bytes) { return allocate(pointer, bytes, true); }
cudaError_t cudaMallocHost(void** pointer, size_t bytes) { return allocate(pointer, bytes, false); }
cudaError_t cudaFree(void* pointer) { return release(pointer, true); }
cudaError_t cudaFreeHost(void* pointer) { return release(pointer, false); }

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  *total_bytes = device_bytes();
  *free_bytes = *total_bytes - device_bytes_in_use;
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  const Allocation* allocation = find_allocation(pointer);
  attributes->type = allocation == nullptr   ? cudaMemoryTypeUnregistered
                     : allocation->on_device ? cudaMemoryTypeDevice
                                             : cudaMemoryTypeHost;
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (bytes == 0) return cudaSuccess;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (kind != cudaMemcpyDefault && (on_device(to) != to_device || on_device(from) != from_device)) {
    return result(cudaErrorInvalidValue);
  }
  std::memmove(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (capture_of(stream) == nullptr) return cudaMemcpy(to, from, bytes, kind);
  executor::submit(stream, [=] { cudaMemcpy(to, from, bytes, kind); });
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int byte, size_t bytes, cudaStream_t stream) {
  if (bytes > 0 && !on_device(to)) return result(cudaErrorInvalidValue);
  executor::submit(stream, [=] { std::memset(to, byte, bytes); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new CUstream_st;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return capture_of(stream) != nullptr ? result(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

// All work is done in the order in which it was queued, so there is nothing to wait for. But a stream that waits for an
// event of a capture joins that capture.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const bool is_recorded = event->capture != nullptr && event->capture->captures;
  if (is_recorded && stream != event->capture) stream->origin = event->capture;
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  *event = new CUevent_st;
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return cudaEventCreate(event); }

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->capture = capture_of(stream);
  event->time = submitted_work;
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }

cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t from, cudaEvent_t to) {
  *ms = float(to->time - from->time);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  stream->captures = true;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = new CUgraph_st{std::exchange(stream->captured, {})};
  stream->captures = false;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new CUgraphExec_st{graph->work};
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t) {
  for (const auto& work : executable->work) work();
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

namespace executor {

void submit(cudaStream_t stream, const std::function<void()>& work) {
  if (const cudaStream_t capture = capture_of(stream)) {
    capture->captured.push_back(work);
  } else {
    ++submitted_work;
    work();
  }
}

cudaError_t check_launch(const cudaLaunchConfig_t& config) {
  const auto [grid, block, shared_bytes, stream] = config;
  const bool some_of_each =
      grid.x > 0 && grid.y > 0 && grid.z > 0 && block.x > 0 && block.y > 0 && block.z > 0;
  const bool block_fits =
      block.x <= 1024 && block.y <= 1024 && block.z <= 64 && uint64_t{block.x} * block.y * block.z <= 1024;
  const bool grid_fits = grid.x <= INT32_MAX && grid.y <= 65535 && grid.z <= 65535;
  if (!some_of_each || !block_fits || !grid_fits) return result(cudaErrorInvalidConfiguration);
  return shared_bytes <= kMaxSharedBytes ? cudaSuccess : result(cudaErrorInvalidValue);
}

cudaError_t check_shared_bytes(int bytes) {
  return bytes >= 0 && bytes <= kMaxSharedBytes ? cudaSuccess : result(cudaErrorInvalidValue);
}

Memory memory_before(const void* address) {
  const auto* found = allocation_before(address);
  return found == nullptr ? Memory{nullptr, 0} : Memory{found->first, found->second.bytes};
}

Memory memory_after(const void* address) {
  const auto next = allocations().upper_bound(static_cast<const char*>(address));
  return next == allocations().end() ? Memory{nullptr, 0} : Memory{next->first, next->second.bytes};
}

void check_pointer(const void* argument, const void* kernel) {
  const auto* found = allocation_before(argument);
  const bool in_allocation =
      found != nullptr && argument <= found->first + found->second.bytes;  // or at its end
  if (argument == nullptr || in_allocation) return;
  std::fprintf(stderr, "executor: kernel %s is handed a pointer to ordinary host memory\n",
               function_name(kernel).c_str());
  std::abort();
}

}  // namespace executor
