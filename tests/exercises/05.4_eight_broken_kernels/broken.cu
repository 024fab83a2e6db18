// Exercise 05.4: eight kernels with one fault each. At most two statements of each may be changed.
#include "broken.h"

#include "common/kernels/cuda/gpu.cuh"

using namespace gpt2;
using namespace gpt2::cuda;

constexpr int kThreads = 64;  // in each block

// ---- 1

static __global__ void scale_kernel(float* y, const float* x, float a, int64_t n) {
  const int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x;
  //@solution 05.4 scale
  if (i < n) y[i] = a * x[i];
  //@stub
  //| if (i <= n) y[i] = a * x[i];
  //@end
}

void scale(Stream stream, float* y, const float* x, float a, int64_t n) {
  launch(scale_kernel, ceil_div(n, kThreads), kThreads, 0, stream, y, x, a, n);
}

// ---- 2

static __global__ void add_kernel(float* y, const float* a, const float* b, int64_t n) {
  //@solution 05.4 add
  const int64_t i = blockIdx.x * int64_t{kThreads} + threadIdx.x;
  //@stub
  //| const int64_t i = blockIdx.x * int64_t{kWarp} + threadIdx.x;
  //@end
  if (i < n) y[i] = a[i] + b[i];
}

void add(Stream stream, float* y, const float* a, const float* b, int64_t n) {
  launch(add_kernel, ceil_div(n, kThreads), kThreads, 0, stream, y, a, b, n);
}

// ---- 3

static __global__ void row_sum_kernel(float* sums, const float* x, int64_t cols) {
  __shared__ float parts[kThreads];
  const int thread = int(threadIdx.x);
  float sum = 0;
  for (int64_t i = thread; i < cols; i += kThreads) sum += x[blockIdx.x * cols + i];
  parts[thread] = sum;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (thread < half) parts[thread] += parts[thread + half];
    //@solution 05.4 row_sum
    __syncthreads();
    //@stub
    //@end
  }
  if (thread == 0) sums[blockIdx.x] = parts[0];
}

void row_sum(Stream stream, float* sums, const float* x, int64_t rows, int64_t cols) {
  launch(row_sum_kernel, rows, kThreads, 0, stream, sums, x, cols);
}

// ---- 4

static __global__ void row_max_kernel(float* largest, const float* x, int64_t cols) {
  const float* row = x + blockIdx.x * cols;
  //@solution 05.4 row_max
  float value = -INFINITY;
  //@stub
  //| float value = 0;
  //@end
  for (int64_t i = threadIdx.x; i < cols; i += kWarp) value = fmaxf(value, row[i]);
  value = warp_max(value);
  if (threadIdx.x == 0) largest[blockIdx.x] = value;
}

void row_max(Stream stream, float* largest, const float* x, int64_t rows, int64_t cols) {
  launch(row_max_kernel, rows, kWarp, 0, stream, largest, x, cols);
}

// ---- 5

static __global__ void differences_kernel(float* y, const float* x, int64_t n) {
  __shared__ float kept[1 + kThreads];  // the value before the block's, and the block's
  const int thread = int(threadIdx.x);
  const int64_t i = blockIdx.x * int64_t{kThreads} + thread;
  if (i < n) {
    if (thread == 0) kept[0] = i > 0 ? x[i - 1] : 0;
    kept[1 + thread] = x[i];
    //@solution 05.4 differences
  }
  __syncthreads();
  if (i < n) {
    //@stub
    //| __syncthreads();
    //@end
    y[i] = kept[1 + thread] - kept[thread];
  }
}

void differences(Stream stream, float* y, const float* x, int64_t n) {
  launch(differences_kernel, ceil_div(n, kThreads), kThreads, 0, stream, y, x, n);
}

// ---- 6

static __global__ void center_kernel(float* y, const float* x, int64_t cols) {
  const float* row = x + blockIdx.x * cols;
  float sum = 0;
  for (int64_t i = threadIdx.x; i < cols; i += kWarp) sum += row[i];
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
    //@solution 05.4 center
    sum += __shfl_xor_sync(kAllLanes, sum, lanes);
    //@stub
    //| sum += __shfl_down_sync(kAllLanes, sum, lanes);
    //@end
  }
  for (int64_t i = threadIdx.x; i < cols; i += kWarp) y[blockIdx.x * cols + i] = row[i] - sum / cols;
}

void center(Stream stream, float* y, const float* x, int64_t rows, int64_t cols) {
  launch(center_kernel, rows, kWarp, 0, stream, y, x, cols);
}

// ---- 7

static __global__ void pad_rows_kernel(float* y, const float* x, int64_t cols, int64_t padded) {
  constexpr int N = Packed<float>::size;  // 4 values in 16 bytes
  const float* from = x + blockIdx.x * cols;
  float* to = y + blockIdx.x * padded;
  for (int64_t i = threadIdx.x * N; i < padded; i += kThreads * N) {
    //@solution 05.4 pad_rows
    if (cols % N == 0 && i + N <= cols) {
      //@stub
      //| if (i + N <= cols) {
      //@end
      store_packed(to + i, load_packed(from + i));
    } else {
      for (int64_t k = i; k < i + N; ++k) to[k] = k < cols ? from[k] : 0;
    }
  }
}

void pad_rows(Stream stream, float* y, const float* x, int64_t rows, int64_t cols, int64_t padded) {
  launch(pad_rows_kernel, rows, kThreads, 0, stream, y, x, cols, padded);
}

// ---- 8

static __global__ void softmax_kernel(float* y, const float* x, int64_t cols) {
  __shared__ float parts[kThreads];
  const float* row = x + blockIdx.x * cols;
  const int thread = int(threadIdx.x);
  float largest = -INFINITY;
  for (int64_t i = thread; i < cols; i += kThreads) largest = fmaxf(largest, row[i]);
  parts[thread] = largest;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (thread < half) parts[thread] = fmaxf(parts[thread], parts[thread + half]);
    __syncthreads();
  }
  largest = parts[0];
  //@solution 05.4 softmax
  __syncthreads();
  //@stub
  //@end

  float sum = 0;
  for (int64_t i = thread; i < cols; i += kThreads) sum += expf(row[i] - largest);
  parts[thread] = sum;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (thread < half) parts[thread] += parts[thread + half];
    __syncthreads();
  }
  for (int64_t i = thread; i < cols; i += kThreads) {
    y[blockIdx.x * cols + i] = expf(row[i] - largest) / parts[0];
  }
}

void softmax(Stream stream, float* y, const float* x, int64_t rows, int64_t cols) {
  launch(softmax_kernel, rows, kThreads, 0, stream, y, x, cols);
}
