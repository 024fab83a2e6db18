// The only place where an op chooses between the CPU's and the GPU's kernels.
//
//   DISPATCH(x.device(), gelu_forward, y.data<float>(), x.data<float>(), x.numel());
//
// calls cpu::gelu_forward or cuda::gelu_forward on the device's current stream. A build without CUDA has no
// cuda:: kernels and no tensors on a GPU. On the meta device no kernel is called. Each call is counted.
//
// since 01_module
#pragma once

#ifdef GPT2_SHARED
#error "files that call kernels are compiled once per device set: see device_sources in common/CMakeLists.txt"
#endif

#include "common/base/error.h"
#include "common/tensor/context.h"

namespace gpt2 {

// The device whose kernels are to run: for the meta device, the one that it stands for.
inline Device planned(Device device) { return device == kMeta ? context().planned_device : device; }

}  // namespace gpt2

#ifdef GPT2_CUDA
#define DISPATCH_CUDA(device, function, ...) \
  if ((device).is_cuda()) ::gpt2::cuda::function(::gpt2::context().stream(device), __VA_ARGS__)
// For the functions that return how much workspace a kernel needs; they take no stream.
#define DISPATCH_SIZE(device, function, ...)                               \
  (::gpt2::planned(device).is_cuda() ? ::gpt2::cuda::function(__VA_ARGS__) \
                                     : ::gpt2::cpu::function(__VA_ARGS__))
#else
#define DISPATCH_CUDA(...)
#define DISPATCH_SIZE(device, function, ...) ::gpt2::cpu::function(__VA_ARGS__)
#endif
#define DISPATCH(device, function, ...)                                                                 \
  do {                                                                                                  \
    DISPATCH_CUDA(device, function, __VA_ARGS__);                                                       \
    if ((device) == ::gpt2::kCpu) ::gpt2::cpu::function(::gpt2::context().stream(device), __VA_ARGS__); \
    ::gpt2::context().counts.call(#function);                                                           \
  } while (false)

namespace gpt2 {

// Calls body(T()) with the C++ type T of a floating-point dtype, to select the instance of a kernel:
//   with_type(x.dtype(), [&](auto t) { using T = decltype(t); DISPATCH(..., y.data<T>(), x.data<T>()); });
template <class Body>
void with_type(DType dtype, const Body& body) {
  require(dtype != DType::i32, "expected floating-point values, got int32");
  dtype == DType::bf16 ? body(bf16(0)) : body(float(0));
}

}  // namespace gpt2
