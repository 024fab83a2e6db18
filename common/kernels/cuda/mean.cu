#include "common/kernels/cuda/mean.h"

#include "common/kernels/cuda/gpu.cuh"

namespace gpt2::cuda {
namespace {

// One block. Thread t adds rows t, t + threads ...; then the sums of the threads are added as a tree, always
// the same.
__global__ void mean_kernel(float* mean, const float* values, int64_t n) {
  float sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += values[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *mean = sum / n;
}

}  // namespace

void mean(Stream stream, float* mean, const float* values, int64_t n) {
  launch(mean_kernel, {1}, {1024}, 0, stream, mean, values, n);
}

}  // namespace gpt2::cuda
