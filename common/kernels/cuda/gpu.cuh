// Every kernel file includes this: the checked launch, and the few device helpers that kernels share.
//
// A kernel file is compiled twice: by nvcc for a GPU, and by the C++ compiler against tests/executor, which
// runs its kernels on the CPU. So launch kernels with launch(), never with <<<>>>, and get dynamic shared
// memory from GPU_DYNAMIC_SHARED; tests/executor/README.md has the other rules.
//
// since 01_module
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

#include "common/tensor/cuda_check.h"
#include "common/tensor/device.h"

// In a kernel: declares T* name, the start of the dynamic shared memory of the launch, 16-byte aligned.
#ifndef GPU_DYNAMIC_SHARED  // the executor defines its own
#define GPU_DYNAMIC_SHARED(T, name)                                    \
  extern __shared__ __align__(16) unsigned char gpu_dynamic_shared_[]; \
  T* name = reinterpret_cast<T*>(gpu_dynamic_shared_)
#endif

namespace gpt2::cuda {

// The size of a grid (in blocks) or of a block (in threads). The sizes are int64_t, like counts of rows and
// values: launch() throws if a size is too large, where dim3 would cut off its upper bits. It records the
// line of the launch.
struct Extent {
  int64_t x, y, z;
  const char* file;
  int line;

  Extent(int64_t nx, const char* in_file = __builtin_FILE(), int at_line = __builtin_LINE())
      : Extent(nx, 1, 1, in_file, at_line) {}
  Extent(int64_t nx, int64_t ny, const char* in_file = __builtin_FILE(), int at_line = __builtin_LINE())
      : Extent(nx, ny, 1, in_file, at_line) {}
  Extent(int64_t nx, int64_t ny, int64_t nz, const char* in_file = __builtin_FILE(),
         int at_line = __builtin_LINE())
      : x(nx), y(ny), z(nz), file(in_file), line(at_line) {}

  bool fits() const {
    constexpr int64_t limit = std::numeric_limits<int32_t>::max();
    return 0 < x && x <= limit && 0 < y && y <= limit && 0 < z && z <= limit;
  }
  dim3 dims() const { return dim3(unsigned(x), unsigned(y), unsigned(z)); }
};

inline std::string to_string(const Extent& extent) {
  return std::to_string(extent.x) + " x " + std::to_string(extent.y) + " x " + std::to_string(extent.z);
}

inline constexpr size_t kSharedBytesByDefault = 48 << 10;  // a kernel must opt in to more

// Runs kernel(arguments...) on `grid` blocks of `block` threads, each block with `shared_bytes` of dynamic
// shared memory, in the order of `stream`: launch(gelu_kernel<T>, ceil_div(n, 256), 256, 0, stream, y, x, n).
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), Extent grid, Extent block, size_t shared_bytes, Stream stream,
            Arguments... arguments) {
  cudaError_t error = grid.fits() && block.fits() ? cudaSuccess : cudaErrorInvalidConfiguration;
  if (error == cudaSuccess && shared_bytes > kSharedBytesByDefault) {
    error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared_bytes));
  }
  if (error == cudaSuccess) {
    cudaLaunchConfig_t config{};
    config.gridDim = grid.dims();
    config.blockDim = block.dims();
    config.dynamicSmemBytes = shared_bytes;
    config.stream = static_cast<cudaStream_t>(stream.handle);
    error = cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
  }
  if (error != cudaSuccess) {
    const std::string what = "launch of " + to_string(grid) + " blocks of " + to_string(block) +
                             " threads with " + std::to_string(shared_bytes) + " bytes of shared memory";
    check(error, what.c_str(), grid.file, grid.line);
  }
}

__host__ __device__ constexpr int64_t ceil_div(int64_t n, int64_t divisor) {
  return (n + divisor - 1) / divisor;
}

// 16 bytes of T, that is 4 floats or 8 bf16: the most that a thread moves in one instruction. A kernel needs
// this size to reach the full memory bandwidth.
template <class T>
struct alignas(16) Packed {
  static constexpr int size = 16 / sizeof(T);
  T values[size];

  __device__ T& operator[](int i) { return values[i]; }
  __device__ const T& operator[](int i) const { return values[i]; }
};

// Loads Packed<T>::size values from `from`, which is 16-byte aligned. It uses int4, which nvcc moves in one
// instruction.
template <class T>
__device__ Packed<T> load_packed(const T* from) {
  const int4 bits = *reinterpret_cast<const int4*>(from);
  Packed<T> packed;
  memcpy(packed.values, &bits, sizeof bits);
  return packed;
}

template <class T>
__device__ void store_packed(T* to, const Packed<T>& packed) {
  int4 bits;
  memcpy(&bits, packed.values, sizeof bits);
  *reinterpret_cast<int4*>(to) = bits;
}

inline constexpr int kWarp = 32;  // threads in a warp
inline constexpr unsigned kAllLanes = 0xffffffffu;

// The sum of `value` over the warp's 32 lanes. Each lane adds the same tree, so every lane gets the same
// bits.
__device__ inline float warp_sum(float value) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) value += __shfl_xor_sync(kAllLanes, value, lanes);
  return value;
}

// The largest `value` of the warp's 32 lanes. Like fmaxf it ignores NaNs, so a caller that must not lose a
// NaN needs a sum as well.
__device__ inline float warp_max(float value) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, lanes));
  }
  return value;
}

// A reduction within each warp, then one over the results of the warps. The block must be one-dimensional and
// consist of whole warps, and all its threads must call this.
template <float (*warp_reduce)(float)>
__device__ float block_reduce(float value, float neutral) {
  __shared__ float of_warp[kWarp];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  value = warp_reduce(value);
  if (lane == 0) of_warp[warp] = value;
  __syncthreads();
  value = warp_reduce(lane < warps ? of_warp[lane] : neutral);
  __syncthreads();  // the next call writes of_warp again
  return value;
}

// The sum, or the largest, of the `value`s of the block's threads: the same bits in every thread and in every
// run.
__device__ inline float block_sum(float value) { return block_reduce<warp_sum>(value, 0.0f); }
__device__ inline float block_max(float value) { return block_reduce<warp_max>(value, -INFINITY); }

}  // namespace gpt2::cuda
