// What two kernel files of planted_bugs share, as the helpers of gpu.cuh are shared: the linker sees the variables of
// these functions once for each file, and keeps one of them.
#pragma once

#include "common/kernels/cuda/gpu.cuh"

namespace planted {

inline constexpr int kThreads = 64;

__device__ inline float* slot(float* out) { return out + blockIdx.x * blockDim.x + threadIdx.x; }

// Gives back `value` by way of shared memory; with `bug`, thread 5 of every block but the first does not write its own.
template <class T>
__device__ T through_shared(bool bug, T value) {
  __shared__ T values[kThreads];
  if (!bug || blockIdx.x == 0 || threadIdx.x != 5) values[threadIdx.x] = value;
  __syncthreads();
  return values[threadIdx.x];
}

template <class T>
__device__ T sum_through_shared(T value) {
  __shared__ T sums[2][kThreads];
  sums[0][threadIdx.x] = value;
  __syncthreads();
  return sums[0][threadIdx.x];
}

template <class T>
__global__ void unwritten_static_shared_of_header(bool bug, T* out, const T* ones) {
  *slot(out) = sum_through_shared(through_shared(bug, ones[threadIdx.x]));
}

}  // namespace planted
