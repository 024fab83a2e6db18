// Exercise 07.2: SwiGLU, forward and backward in one kernel each.
#include "swiglu.h"

#include "common/kernels/cuda/gpu.cuh"
#include "tests/exercises/todo.h"

using namespace gpt2;
using namespace gpt2::cuda;

namespace {

constexpr int kThreads = 256;

// One thread for each of the rows * C values of y.
__global__ void swiglu_forward_kernel(float* y, const float* x, int64_t rows, int64_t C) {
  const int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x;
  if (i >= rows * C) return;
  //@solution 07.2 forward
  const float* at = x + i / C * 2 * C + i % C;  // the gate; its partner is C values further on
  const float gate = at[0], up = at[C];
  y[i] = gate / (1 + expf(-gate)) * up;
  //@stub
  //| // TODO(07.2): y[i] = silu(gate) * up. Where in x are the gate and its partner?
  //| COURSE_TODO("07.2");
  //@end
}

// One thread for each of the rows * C values of dy.
__global__ void swiglu_backward_kernel(float* dx, const float* x, const float* dy, int64_t rows, int64_t C) {
  const int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x;
  if (i >= rows * C) return;
  //@solution 07.2 backward
  const int64_t at = i / C * 2 * C + i % C;
  const float gate = x[at], up = x[at + C], gradient = dy[i];
  const float sigmoid = 1 / (1 + expf(-gate)), silu = gate * sigmoid;
  dx[at] = gradient * up * (sigmoid + silu * (1 - sigmoid));  // silu' = s + g s (1 - s)
  dx[at + C] = gradient * silu;
  //@stub
  //| // TODO(07.2): both gradients that depend on dy[i].
  //| COURSE_TODO("07.2");
  //@end
}

}  // namespace

void swiglu_forward(Stream stream, float* y, const float* x, int64_t rows, int64_t C) {
  launch(swiglu_forward_kernel, ceil_div(rows * C, kThreads), kThreads, 0, stream, y, x, rows, C);
}

void swiglu_backward(Stream stream, float* dx, const float* x, const float* dy, int64_t rows, int64_t C) {
  launch(swiglu_backward_kernel, ceil_div(rows * C, kThreads), kThreads, 0, stream, dx, x, dy, rows, C);
}
