// Exercise 05.2: the sum of squares of each row, one block for each row.
#include "row_sum.h"

#include "common/kernels/cuda/gpu.cuh"
#include "tests/exercises/todo.h"

using namespace gpt2;
using namespace gpt2::cuda;

namespace {

constexpr int kThreads = 128;

__global__ void row_sum_kernel(float* sums, const float* x, int64_t cols) {
  const float* row = x + blockIdx.x * cols;
  const int thread = int(threadIdx.x);
  //@solution 05.2
  __shared__ float partial[kThreads];
  float sum = 0;
  for (int64_t i = thread; i < cols; i += kThreads) sum += row[i] * row[i];
  partial[thread] = sum;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread < half) partial[thread] += partial[thread + half];
  }
  if (thread == 0) sums[blockIdx.x] = partial[0];
  //@stub
  //| // TODO(05.2): sums[blockIdx.x] = the sum of row[i] * row[i] for i = 0 ... cols - 1, by all threads together.
  //| COURSE_TODO("05.2");
  //@end
}

}  // namespace

void row_sum(Stream stream, float* sums, const float* x, int64_t rows, int64_t cols) {
  launch(row_sum_kernel, rows, kThreads, 0, stream, sums, x, cols);
}
