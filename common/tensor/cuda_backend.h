// The CUDA runtime behind the Backend interface: streams, memory and copies of one GPU.
//
// Every call, including create_stream(), makes its GPU the current one of the calling thread. Kernels are
// launched on that GPU afterwards, so a thread works with one GPU.
//
// since 01_module
#pragma once

#include <memory>

#include "common/tensor/device.h"

namespace gpt2 {

std::unique_ptr<Backend> make_cuda_backend(int index);  // index < cuda_device_count(); never destroyed

}  // namespace gpt2
