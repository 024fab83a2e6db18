#include "common/tensor/cuda_check.h"

#include "common/base/error.h"

namespace gpt2::cuda {

void check(cudaError_t error, const char* call, const char* file, int line) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // clears the error, so that the next call does not report it again
  fail("{}:{}: {}: {}", file, line, call, cudaGetErrorString(error));
}

}  // namespace gpt2::cuda
