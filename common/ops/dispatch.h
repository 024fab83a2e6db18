// The one place where an op picks between the kernels of a processor.
//
//   DISPATCH(x.device(), gelu_forward, y.data<float>(), x.data<float>(), x.numel());
//
// calls cpu::gelu_forward or cuda::gelu_forward on the device's current stream. In a build without CUDA
// there are no cuda:: kernels, and no tensor on such a device either.
//
// since 01_module
#pragma once

#include "common/tensor/context.h"

#ifdef GPT2_CUDA
#define DISPATCH(device, function, ...)                                                       \
  ((device).is_cuda() ? ::gpt2::cuda::function(::gpt2::context().stream(device), __VA_ARGS__) \
                      : ::gpt2::cpu::function(::gpt2::context().stream(device), __VA_ARGS__))
// For the functions that say how much workspace a kernel needs: no stream.
#define DISPATCH_SIZE(device, function, ...) \
  ((device).is_cuda() ? ::gpt2::cuda::function(__VA_ARGS__) : ::gpt2::cpu::function(__VA_ARGS__))
#else
#define DISPATCH(device, function, ...) ::gpt2::cpu::function(::gpt2::context().stream(device), __VA_ARGS__)
#define DISPATCH_SIZE(device, function, ...) ::gpt2::cpu::function(__VA_ARGS__)
#endif
