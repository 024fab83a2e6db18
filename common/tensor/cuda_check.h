// Every call of the CUDA runtime goes through CUDA_CHECK: an error that nobody looks at comes back later,
// from an innocent call.
//
// Kernel files include this header and not common/base/error.h, because nvcc cannot compile fmt 9 as C++20.
//
// since 01_module
#pragma once

#include <cuda_runtime.h>

// Fails with the place, the call and CUDA's own words: CUDA_CHECK(cudaMalloc(&p, n));
#define CUDA_CHECK(call) ::gpt2::cuda::check((call), #call, __FILE__, __LINE__)

namespace gpt2::cuda {

void check(cudaError_t error, const char* call, const char* file, int line);

}  // namespace gpt2::cuda
