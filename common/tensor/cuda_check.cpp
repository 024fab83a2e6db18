#include "common/tensor/cuda_check.h"

#include "common/base/error.h"

namespace gpt2::cuda {

void check(cudaError_t error, const char* call, const char* file, int line) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // forgets it: reported here, it must not come back from the next call
  fail("{}:{}: {}: {}", file, line, call, cudaGetErrorString(error));
}

}  // namespace gpt2::cuda
