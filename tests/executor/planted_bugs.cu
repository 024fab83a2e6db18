// Kernels with one bug each, to see that the executor and the sanitizers catch it: planted_bugs NAME runs the
// kernel with its bug, planted_bugs NAME --fixed the same without. planted_bugs_test.cpp runs them all.
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "common/kernels/cuda/gpu.cuh"
#include "tests/executor/planted_bugs.cuh"
#ifdef EXECUTOR_TRACES
#include "tests/executor/tracer.h"
#endif

namespace {

using namespace gpt2;
using namespace gpt2::cuda;
using planted::kThreads;
using planted::slot;

// Every kernel fills out[0 .. 2 * kThreads) with 1, as far as its bug lets it.
using Kernel = void (*)(bool bug, float* out, const float* ones);

__global__ void global_out_of_bounds(bool bug, float* out, const float* ones) {
  *slot(out) = ones[blockIdx.x * blockDim.x + threadIdx.x + (bug ? 1 : 0)];
}

__global__ void dynamic_shared_out_of_bounds(bool bug, float* out, const float* ones) {
  GPU_DYNAMIC_SHARED(float, values);
  values[threadIdx.x + (bug ? 1 : 0)] = ones[threadIdx.x];
  __syncthreads();
  *slot(out) = values[threadIdx.x == 0 ? 1 : threadIdx.x];
}

__global__ void static_shared_out_of_bounds(bool bug, float* out, const float* ones) {
  __shared__ float rows[2][kThreads];  // one too far in a row is still within the array, and wrong
  rows[0][threadIdx.x + (bug ? 1 : 0)] = ones[threadIdx.x];
  __syncthreads();
  *slot(out) = rows[0][threadIdx.x == 0 ? 1 : threadIdx.x];
}

__global__ void misaligned_load(bool bug, float* out, const float* ones) {
  const Packed<float> packed = load_packed(ones + 4 * (threadIdx.x / 4) + (bug ? 1 : 0));
  *slot(out) = packed[threadIdx.x % 4];
}

__global__ void missing_syncthreads(bool bug, float* out, const float* ones) {
  __shared__ float values[kThreads];
  values[threadIdx.x] = 0;
  __syncthreads();
  values[threadIdx.x] = ones[threadIdx.x];
  if (!bug) __syncthreads();
  *slot(out) = values[kThreads - 1 - threadIdx.x];
}

__global__ void missing_syncwarp(bool bug, float* out, const float* ones) {
  __shared__ float values[kThreads];
  values[threadIdx.x] = ones[threadIdx.x];
  if (!bug) __syncwarp();
  *slot(out) = values[threadIdx.x ^ 1];
}

// The lanes meet, but the next round's write may still overtake this round's read.
__global__ void missing_second_syncwarp(bool bug, float* out, const float* ones) {
  __shared__ float values[kThreads];
  for (int round = 0; round < 2; ++round) {
    values[threadIdx.x] = ones[threadIdx.x];
    __syncwarp();
    *slot(out) = values[threadIdx.x ^ 1];
    if (!bug) __syncwarp();
  }
}

// A shuffle moves a value and orders nothing else.
__global__ void shuffle_as_barrier(bool bug, float* out, const float* ones) {
  __shared__ float values[kThreads];
  values[threadIdx.x] = ones[threadIdx.x];
  if (bug) {
    __shfl_xor_sync(kAllLanes, 0, 1);
  } else {
    __syncwarp();
  }
  *slot(out) = values[threadIdx.x ^ 1];
}

__global__ void barrier_for_some(bool bug, float* out, const float* ones) {
  *slot(out) = ones[threadIdx.x];
  if (!bug || blockIdx.x == 0 || threadIdx.x != 5) __syncthreads();
}

__global__ void two_barriers_for_one(bool bug, float* out, const float* ones) {
  *slot(out) = ones[threadIdx.x];
  if (bug && threadIdx.x == 5) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void barrier_against_syncwarp(bool bug, float* out, const float* ones) {
  *slot(out) = ones[threadIdx.x];
  if (bug && threadIdx.x == 5) {
    __syncwarp();
  } else {
    __syncthreads();
  }
}

__global__ void mask_without_caller(bool bug, float* out, const float* ones) {
  *slot(out) = __shfl_xor_sync(bug ? 0xfffffffeu : kAllLanes, ones[threadIdx.x], 1);
}

__global__ void mask_with_returned_lane(bool bug, float* out, const float* ones) {
  *slot(out) = ones[threadIdx.x];
  if (threadIdx.x % 32 >= 16) return;
  *slot(out) = __shfl_xor_sync(bug ? kAllLanes : 0xffffu, ones[threadIdx.x], 1);
}

__global__ void masks_that_differ(bool bug, float* out, const float* ones) {
  *slot(out) = __shfl_xor_sync(bug && threadIdx.x == 31 ? 0xc0000000u : kAllLanes, ones[threadIdx.x], 1);
}

__global__ void shuffle_from_outside_mask(bool bug, float* out, const float* ones) {
  *slot(out) = ones[threadIdx.x];
  if (threadIdx.x % 32 < 16) *slot(out) = __shfl_xor_sync(0xffffu, ones[threadIdx.x], bug ? 16 : 8);
}

__global__ void unwritten_global(bool bug, float* out, const float* ones) {
  if (!bug || threadIdx.x != 5) *slot(out) = ones[threadIdx.x];
}

__global__ void unwritten_dynamic_shared(bool bug, float* out, const float* ones) {
  GPU_DYNAMIC_SHARED(float, values);
  if (!bug || blockIdx.x == 0 || threadIdx.x != 5) values[threadIdx.x] = ones[threadIdx.x];
  __syncthreads();
  *slot(out) = values[threadIdx.x];
}

__global__ void unwritten_static_shared(bool bug, float* out, const float* ones) {
  __shared__ float values[kThreads];
  if (!bug || blockIdx.x == 0 || threadIdx.x != 5) values[threadIdx.x] = ones[threadIdx.x];
  __syncthreads();
  *slot(out) = values[threadIdx.x];
}

// The same in a template: its variables are emitted another way, and g++ 11 to 13 ignore some attributes of theirs.
template <class T>
__global__ void unwritten_static_shared_of_template(bool bug, T* out, const T* ones) {
  __shared__ T values[kThreads];
  if (!bug || blockIdx.x == 0 || threadIdx.x != 5) values[threadIdx.x] = ones[threadIdx.x];
  __syncthreads();
  *slot(out) = values[threadIdx.x];
}

// Right as long as block 1 comes last.
__global__ void blocks_in_order(bool bug, float* out, const float* ones) {
  *slot(out) = ones[threadIdx.x];
  if (bug) out[threadIdx.x] = blockIdx.x == 0 ? 0.0f : 1.0f;
}

__global__ void host_pointer(bool, float* out, const float* ones) { *slot(out) = ones[threadIdx.x]; }

struct Bug {
  const char* name;
  Kernel kernel;
};

#define BUG(kernel) \
  { #kernel, kernel }
constexpr Bug kBugs[] = {
    BUG(global_out_of_bounds),
    BUG(dynamic_shared_out_of_bounds),
    BUG(static_shared_out_of_bounds),
    BUG(misaligned_load),
    BUG(missing_syncthreads),
    BUG(missing_syncwarp),
    BUG(missing_second_syncwarp),
    BUG(shuffle_as_barrier),
    BUG(barrier_for_some),
    BUG(two_barriers_for_one),
    BUG(barrier_against_syncwarp),
    BUG(mask_without_caller),
    BUG(mask_with_returned_lane),
    BUG(masks_that_differ),
    BUG(shuffle_from_outside_mask),
    BUG(unwritten_global),
    BUG(unwritten_dynamic_shared),
    BUG(unwritten_static_shared),
    {"unwritten_static_shared_of_template", unwritten_static_shared_of_template<float>},
    {"unwritten_static_shared_of_header", planted::unwritten_static_shared_of_header<float>},
    BUG(blocks_in_order),
    BUG(host_pointer),
};

// Two blocks; the program fails unless the kernel has filled `out` with 1.
int run(Kernel kernel, bool bug) {
  constexpr size_t n = 2 * kThreads, bytes = n * sizeof(float);
  const std::vector<float> host_ones(n, 1.0f);
  float *out, *ones;
  CUDA_CHECK(cudaMalloc(&out, bytes));
  CUDA_CHECK(cudaMalloc(&ones, bytes));
  CUDA_CHECK(cudaMemcpy(ones, host_ones.data(), bytes, cudaMemcpyHostToDevice));
  const float* input = bug && kernel == host_pointer ? host_ones.data() : ones;
  const Stream stream{{DeviceType::cuda, 0}, nullptr};
  launch(kernel, 2, kThreads, kThreads * sizeof(float), stream, bug, out, input);
  std::vector<float> result(n);
  CUDA_CHECK(cudaMemcpy(result.data(), out, bytes, cudaMemcpyDeviceToHost));
  CUDA_CHECK(cudaFree(out));
  CUDA_CHECK(cudaFree(ones));
  for (size_t i = 0; i < n; ++i) {
    if (result[i] == 1.0f) continue;
    std::printf("wrong result: out[%zu] is %g\n", i, std::fabs(result[i]));
    return 1;
  }
  std::puts("right result");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
#ifdef EXECUTOR_TRACES
  executor::trace();
#endif
  const std::string name = argc > 1 ? argv[1] : "";
  const bool fixed = argc > 2 && std::string(argv[2]) == "--fixed";
  for (const Bug& bug : kBugs) {
    if (name == bug.name) return run(bug.kernel, !fixed);
  }
  std::printf("there is no bug named '%s'\n", name.c_str());
  return 2;
}
