// Every call of the CUDA runtime goes through CUDA_CHECK, because an unchecked error is reported later by a
// call that did not cause it.
//
// Kernel files include this header instead of common/base/error.h, because nvcc cannot compile fmt 9 as
// C++20.
//
// since 01_module
#pragma once

#include <cuda_runtime.h>

// Throws if the call fails; the message gives file, line, call and CUDA's text: CUDA_CHECK(cudaMalloc(&p,
// n));
#define CUDA_CHECK(call) ::gpt2::cuda::check((call), #call, __FILE__, __LINE__)

namespace gpt2::cuda {

void check(cudaError_t error, const char* call, const char* file, int line);

}  // namespace gpt2::cuda
