// The CUDA runtime behind the Backend interface: streams, memory and copies of one GPU.
//
// Every call makes its GPU the calling thread's current one, and so does the creation of the stream on which
// kernels are launched afterwards: a thread works with one GPU.
//
// since 03_sampling
#pragma once

#include <memory>

#include "common/tensor/device.h"

namespace gpt2 {

std::unique_ptr<Backend> make_cuda_backend(int index);  // index < cuda_device_count(); never destroyed

}  // namespace gpt2
