// Exercise 05.1: softsign, one thread for each value.
#include "softsign.h"

#include "common/kernels/cuda/gpu.cuh"
#include "tests/exercises/todo.h"

using namespace gpt2;
using namespace gpt2::cuda;

namespace {

constexpr int kThreads = 256;  // in each block

__global__ void softsign_kernel(float* y, const float* x, int64_t n) {
  //@solution 05.1 kernel
  const int64_t i = blockIdx.x * int64_t{blockDim.x} + threadIdx.x;
  if (i < n) y[i] = x[i] / (1 + fabsf(x[i]));
  //@stub
  //| // TODO(05.1): y[i] = x[i] / (1 + fabsf(x[i])) for this thread's i, if it has one.
  //| COURSE_TODO("05.1");
  //@end
}

}  // namespace

void softsign(Stream stream, float* y, const float* x, int64_t n) {
  //@solution 05.1 blocks
  const int64_t blocks = ceil_div(n, kThreads);
  //@stub
  //| const int64_t blocks = COURSE_TODO("05.1");  // TODO(05.1): how many blocks of kThreads threads?
  //@end
  launch(softsign_kernel, blocks, kThreads, 0, stream, y, x, n);
}
