// Exercise 07.3: the largest logit of a row and the sum of exp(logit - largest), in one pass over the row.
#include "max_and_sum.h"

#include "common/kernels/cuda/gpu.cuh"
#include "tests/exercises/todo.h"

using namespace gpt2;
using namespace gpt2::cuda;

namespace {

constexpr int kThreads = 128;

//@solution 07.3 helpers
// A part of a row: its largest logit, and the sum of exp(logit - largest). A part without logits has -inf and 0.
struct alignas(8) Part {
  float largest, sum;
};

// Two parts as one. exp(-inf - largest) is 0, so a part without logits adds nothing.
__device__ Part merged(const Part& a, const Part& b) {
  const float largest = fmaxf(a.largest, b.largest);
  if (largest == -INFINITY) return {-INFINITY, 0};  // -inf - -inf would be NaN
  return {largest, a.sum * expf(a.largest - largest) + b.sum * expf(b.largest - largest)};
}

//@stub
//| // TODO(07.3): your helpers, if you want any.
//|
//@end
__global__ void max_and_sum_kernel(float* largests, float* sums, const float* logits, int64_t V) {
  const float* row = logits + blockIdx.x * V;
  const int thread = int(threadIdx.x);
  //@solution 07.3 kernel
  Part part{-INFINITY, 0};
  for (int64_t i = thread; i < V; i += kThreads) part = merged(part, {row[i], 1});

  __shared__ Part parts[kThreads];
  parts[thread] = part;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread < half) parts[thread] = merged(parts[thread], parts[thread + half]);
  }
  if (thread == 0) {
    largests[blockIdx.x] = parts[0].largest;
    sums[blockIdx.x] = parts[0].sum;
  }
  //@stub
  //| // TODO(07.3): largests[blockIdx.x] and sums[blockIdx.x] from row[0] ... row[V - 1], each read once.
  //| COURSE_TODO("07.3");
  //@end
}

}  // namespace

void max_and_sum(Stream stream, float* largests, float* sums, const float* logits, int64_t rows, int64_t V) {
  launch(max_and_sum_kernel, rows, kThreads, 0, stream, largests, sums, logits, V);
}
