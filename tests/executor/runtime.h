// The part of the CUDA runtime that the library's host code uses, on the CPU. There is one device, or the
// number in EXECUTOR_DEVICES.
//
// Ordinarily work completes before the call that queues it returns. With EXECUTOR_STREAM_SEED=n, n > 0, it is queued,
// and runs in a random order that CUDA allows (queue.h): the order of each stream holds, events are waited for, and so
// is all work at a synchronisation. What CUDA forbids while a stream is captured fails, with CUDA's error.
//
// Device memory is filled with 0xff, which is NaN in every float type. Each allocation is separate, so
// AddressSanitizer finds an access to the first byte beyond it. Passing a pointer to ordinary host memory to
// a kernel, or copying in the wrong direction, is an error, as on a GPU.
//
// since 01_module
#pragma once

#include <cstddef>
#include <functional>
#include <type_traits>

#include "tests/executor/language.h"
#include "tests/executor/scheduler.h"

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorIllegalState = 401,
  cudaErrorNotReady = 600,
  cudaErrorSystemNotReady = 802,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901,
  cudaErrorStreamCaptureMerge = 902,
  cudaErrorStreamCaptureUnmatched = 903,
  cudaErrorStreamCaptureUnjoined = 904,
  cudaErrorStreamCaptureIsolation = 905,
  cudaErrorStreamCaptureImplicit = 906,
  cudaErrorCapturedEvent = 907,
};
const char* cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();  // returns the last failed call's error, and clears it
cudaError_t cudaPeekAtLastError();

// ---- devices

struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
  int major, minor;
  int multiProcessorCount;
};
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97,
};
cudaError_t cudaGetDeviceCount(int* count);      // fails with the error number in EXECUTOR_DRIVER_ERROR
cudaError_t cudaDriverGetVersion(int* version);  // 13000, or EXECUTOR_DRIVER; 0: no driver
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaDeviceSynchronize();

// ---- memory

enum cudaMemcpyKind {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault,
};
enum cudaMemoryType { cudaMemoryTypeUnregistered, cudaMemoryTypeHost, cudaMemoryTypeDevice };
struct cudaPointerAttributes {
  cudaMemoryType type;
};
using cudaStream_t = struct CUstream_st*;

cudaError_t cudaMalloc(void** pointer, size_t bytes);
cudaError_t cudaMallocHost(void** pointer, size_t bytes);
template <class T>
cudaError_t cudaMalloc(T** pointer, size_t bytes) {
  return cudaMalloc(reinterpret_cast<void**>(pointer), bytes);
}
template <class T>
cudaError_t cudaMallocHost(T** pointer, size_t bytes) {
  return cudaMallocHost(reinterpret_cast<void**>(pointer), bytes);
}
cudaError_t cudaFree(void* pointer);
cudaError_t cudaFreeHost(void* pointer);
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes);
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer);
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* to, int byte, size_t bytes, cudaStream_t stream);

// ---- streams and events

inline constexpr unsigned cudaStreamNonBlocking = 1;
inline constexpr unsigned cudaEventDisableTiming = 2;
using cudaEvent_t = struct CUevent_st*;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);
cudaError_t cudaEventCreate(cudaEvent_t* event);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t from, cudaEvent_t to);
cudaError_t cudaEventDestroy(cudaEvent_t event);

using cudaHostFn_t = void (*)(void* argument);
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* argument);

// ---- graphs: work that is queued on a capturing stream is stored, and runs each time the graph is launched

enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
using cudaGraph_t = struct CUgraph_st*;
using cudaGraphExec_t = struct CUgraphExec_st*;

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);

namespace executor {

// An allocation of device memory or pinned host memory.
struct Memory {
  const char* begin;
  size_t bytes;
};
// The last one that starts at or before `address` ({nullptr, 0}: none), and the first one after it.
Memory memory_before(const void* address);
Memory memory_after(const void* address);

// If someone watches (scheduler.h), this many bytes before and after each allocation belong to no other.
inline constexpr size_t kGuardBytes = 64 << 10;

// Queues work on a stream, or stores it if the stream is captured. `with_peers`: the work waits for other processes.
cudaError_t submit(cudaStream_t stream, std::function<void()> work, bool with_peers = false);

// Waits for all work that is queued, and orders what follows by this seed, as EXECUTOR_STREAM_SEED would. Each rank of
// a run has another order.
void order_streams(uint64_t seed, int rank = 0);
}  // namespace executor

// ---- launches

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

namespace executor {

cudaError_t check_launch(const cudaLaunchConfig_t& config);
cudaError_t check_shared_bytes(int bytes);

// A kernel's arguments may have any value, but pointers must be valid on a GPU.
void check_pointer(const void* argument, const void* kernel);

template <class T>
void check_argument([[maybe_unused]] T argument, [[maybe_unused]] const void* kernel) {
  if constexpr (std::is_pointer_v<T>) check_pointer(argument, kernel);
}

}  // namespace executor

template <class T>
cudaError_t cudaFuncSetAttribute(T*, cudaFuncAttribute, int value) {
  return executor::check_shared_bytes(value);
}

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments... arguments) {
  const cudaError_t error = executor::check_launch(*config);
  if (error != cudaSuccess) return error;
  const auto* address = reinterpret_cast<const void*>(kernel);
  (executor::check_argument<Parameters>(arguments, address), ...);
  return executor::submit(config->stream, [=, config = *config] {
    auto body = [&] { kernel(arguments...); };
    executor::run(
        config.gridDim, config.blockDim, config.dynamicSmemBytes, address,
        [](void* pointer) { (*static_cast<decltype(body)*>(pointer))(); }, &body);
  });
}
