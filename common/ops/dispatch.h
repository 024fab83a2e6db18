// The one place where an op picks between the kernels of a processor.
//
//   DISPATCH(x.device(), gelu_forward, y.data<float>(), x.data<float>(), x.numel());
//
// calls cpu::gelu_forward or cuda::gelu_forward on the device's current stream. In a build without CUDA
// there are no cuda:: kernels, and no tensor on such a device either. On the meta device nothing is called. Each
// call is counted.
//
// since 01_module
#pragma once

#ifdef GPT2_SHARED
#error "a file that calls kernels is compiled for each set of devices: see device_sources in common/CMakeLists.txt"
#endif

#include "common/base/error.h"
#include "common/tensor/context.h"

#ifdef GPT2_CUDA
#define DISPATCH_CUDA(device, function, ...) \
  if ((device).is_cuda()) ::gpt2::cuda::function(::gpt2::context().stream(device), __VA_ARGS__)
// For the functions that say how much workspace a kernel needs: no stream.
#define DISPATCH_SIZE(device, function, ...) \
  ((device).is_cuda() ? ::gpt2::cuda::function(__VA_ARGS__) : ::gpt2::cpu::function(__VA_ARGS__))
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

// body(T()) for the T of a floating-point dtype, which names the instance of a kernel:
//   with_type(x.dtype(), [&](auto t) { using T = decltype(t); DISPATCH(..., y.data<T>(), x.data<T>()); });
template <class Body>
void with_type(DType dtype, const Body& body) {
  require(dtype != DType::i32, "expected floating-point values, got int32");
  dtype == DType::bf16 ? body(bf16(0)) : body(float(0));
}

}  // namespace gpt2
