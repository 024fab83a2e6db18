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

#include "tests/executor/queue.h"
#include "tests/executor/streams.h"
#include "tests/executor/symbols.h"

using executor::queue;
using executor::result;

namespace {

constexpr int kMultiProcessors = 4;  // few, so that loops over the grid have to loop

// EXECUTOR_CAPABILITY, or 90: which GPU to be. It limits shared memory; kernels compute what they compute.
int compute_capability() {
  const char* capability = std::getenv("EXECUTOR_CAPABILITY");
  return capability ? std::atoi(capability) : 90;
}

// Shared memory of a block: what a GPU of 7.5 has, or the least that any GPU with bf16 has (8.6, 8.9, 12.0; CUDA C++
// Programming Guide, Technical Specifications per Compute Capability).
int max_shared_bytes() { return (compute_capability() == 75 ? 64 : 99) << 10; }

constexpr size_t kAlignment = 256;

cudaError_t last_error = cudaSuccess;

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
  if (const cudaError_t error = executor::refuse_while_capturing(); error != cudaSuccess) return error;
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

// Waits for all work first, which may use the memory.
cudaError_t release(void* pointer, bool device) {
  if (const cudaError_t error = executor::refuse_while_capturing(); error != cudaSuccess) return error;
  if (pointer == nullptr) return cudaSuccess;
  const auto allocation = allocations().find(static_cast<char*>(pointer));
  if (allocation == allocations().end() || allocation->second.on_device != device) {
    return result(cudaErrorInvalidValue);
  }
  queue().run_all();
  if (device) device_bytes_in_use -= allocation->second.bytes;
  void* block = static_cast<char*>(pointer) - allocation->second.guard;
  allocations().erase(allocation);
  std::free(block);
  return cudaSuccess;
}

bool is_right_direction(const void* to, const void* from, cudaMemcpyKind kind) {
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  return kind == cudaMemcpyDefault || (on_device(to) == to_device && on_device(from) == from_device);
}

// Reads `from` now, in its turn, and writes `to` later.
cudaError_t copy_staged(void* to, const void* from, size_t bytes, cudaStream_t stream) {
  executor::finish(stream);
  if (queue().runs_at_once()) return executor::submit(stream, [=] { std::memcpy(to, from, bytes); });
  const auto* values = static_cast<const char*>(from);
  const std::vector<char> staged(values, values + bytes);
  return executor::submit(stream, [to, staged] { std::memcpy(to, staged.data(), staged.size()); });
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
    case cudaErrorInsufficientDriver:
      return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorSystemNotReady:
      return "system not yet initialized";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorInvalidResourceHandle:
      return "invalid resource handle";
    case cudaErrorIllegalState:
      return "the operation cannot be performed in the present state";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureMerge:
      return "operation would result in a merge of separate capture sequences";
    case cudaErrorStreamCaptureUnmatched:
      return "capture was not ended in the same stream as it began";
    case cudaErrorStreamCaptureUnjoined:
      return "capturing stream has unjoined work";
    case cudaErrorStreamCaptureIsolation:
      return "dependency created on uncaptured work in another stream";
    case cudaErrorStreamCaptureImplicit:
      return "operation would make the legacy stream depend on a capturing blocking stream";
    case cudaErrorCapturedEvent:
      return "operation not permitted on an event last recorded in a capturing stream";
  }
  return "unrecognized error code";
}

cudaError_t cudaPeekAtLastError() { return last_error; }

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }

cudaError_t cudaGetDeviceCount(int* count) {
  if (const char* error = std::getenv("EXECUTOR_DRIVER_ERROR")) return result(cudaError_t(std::atoi(error)));
  *count = device_count();
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  const char* driver = std::getenv("EXECUTOR_DRIVER");
  *version = driver ? std::atoi(driver) : 13000;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
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
  const int capability = compute_capability();
  *properties = {"kernel executor on the CPU", device_bytes(), capability / 10, capability % 10,
                 kMultiProcessors};
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (!exists(device)) return result(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      *value = kMultiProcessors;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      *value = compute_capability() / 10;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      *value = compute_capability() % 10;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = max_shared_bytes();
      return cudaSuccess;
  }
  return result(cudaErrorInvalidValue);
}

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

// CUDA does not say whether a copy from or to pageable memory is done when the call returns, so that may be either way.
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  if (!is_right_direction(to, from, kind)) return result(cudaErrorInvalidValue);
  const bool is_pageable = find_allocation(to) == nullptr || find_allocation(from) == nullptr;
  if (is_pageable && executor::is_capturing(stream)) return executor::refuse_while_capturing();
  const bool is_staged = is_pageable && !queue().runs_at_once() && queue().coin();
  if (is_staged && find_allocation(from) == nullptr) return copy_staged(to, from, bytes, stream);
  const cudaError_t error = executor::submit(stream, [=] { std::memmove(to, from, bytes); });
  if (is_staged) executor::finish(stream);
  return error;
}

// On the legacy stream. It waits, except that bytes from pageable memory may still be on their way to the device, and
// that nothing waits for a copy within the device.
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (bytes == 0) return cudaSuccess;
  if (!is_right_direction(to, from, kind)) return result(cudaErrorInvalidValue);
  if (const cudaError_t error = executor::refuse_while_capturing(true); error != cudaSuccess) return error;
  if (find_allocation(from) == nullptr && on_device(to)) return copy_staged(to, from, bytes, nullptr);
  const cudaError_t error = executor::submit(nullptr, [=] { std::memmove(to, from, bytes); });
  if (!on_device(to) || !on_device(from)) executor::finish(nullptr);
  return error;
}

cudaError_t cudaMemsetAsync(void* to, int byte, size_t bytes, cudaStream_t stream) {
  if (bytes > 0 && !on_device(to)) return result(cudaErrorInvalidValue);
  return executor::submit(stream, [=] { std::memset(to, byte, bytes); });
}

namespace executor {

cudaError_t result(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

cudaError_t check_launch(const cudaLaunchConfig_t& config) {
  const auto [grid, block, shared_bytes, stream] = config;
  const bool some_of_each =
      grid.x > 0 && grid.y > 0 && grid.z > 0 && block.x > 0 && block.y > 0 && block.z > 0;
  const bool block_fits =
      block.x <= 1024 && block.y <= 1024 && block.z <= 64 && uint64_t{block.x} * block.y * block.z <= 1024;
  const bool grid_fits = grid.x <= INT32_MAX && grid.y <= 65535 && grid.z <= 65535;
  if (!some_of_each || !block_fits || !grid_fits) return result(cudaErrorInvalidConfiguration);
  return shared_bytes <= size_t(max_shared_bytes()) ? cudaSuccess : result(cudaErrorInvalidValue);
}

cudaError_t check_shared_bytes(int bytes) {
  return bytes >= 0 && bytes <= max_shared_bytes() ? cudaSuccess : result(cudaErrorInvalidValue);
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
