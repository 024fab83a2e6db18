// Exercise 08.2: causal attention without a T x T matrix, for heads of 48 channels.
#include "flash.h"

#include "common/kernels/cuda/gpu.cuh"
#include "tests/exercises/todo.h"
#include "tiles.cuh"

using namespace gpt2;
using namespace gpt2::cuda;

namespace {

//@solution 08.2 helpers
constexpr int N = Packed<float>::size;  // 4 values in 16 bytes, the most that one load takes

__device__ float dot(const float* query, const float* key) {
  float sum = 0;
  for (int c = 0; c < kChannels; c += N) {
    const Packed<float> part = load_packed(key + c);
    for (int i = 0; i < N; ++i) sum += query[c + i] * part[i];
  }
  return sum;
}

//@stub
//| // TODO(08.2): your helpers, if you want any.
//|
//@end
// Block (i, head) has queries 64 i ... 64 i + 63 of a head.
__global__ void flash_kernel(float* y, const float* q, const float* k, const float* v, const float* scales,
                             int64_t T) {
  const int64_t t = blockIdx.x * int64_t{kQueries} + threadIdx.x;  // this thread's query
  const int64_t head = blockIdx.y;
  q += head * T * kChannels;
  k += head * T * kChannels;
  v += head * T * kChannels;
  y += head * T * kChannels;
  scales += head * T;
  __shared__ __align__(16) float keys[kTileSize], values[kTileSize];
  //@solution 08.2 kernel
  float query[kChannels], weighted[kChannels] = {};
  const float scale = t < T ? scales[t] : 0;
  for (int c = 0; c < kChannels; ++c) query[c] = t < T ? scale * q[t * kChannels + c] : 0;
  float largest = -INFINITY, sum = 0;

  // The keys that some query of the block sees end here.
  const int64_t end = min(T, (blockIdx.x + 1) * int64_t{kQueries});
  for (int64_t first = 0; first < end; first += kKeys) {
    __syncthreads();  // all have done with the tile before
    load_tile(keys, k, first, T);
    load_tile(values, v, first, T);
    __syncthreads();
    if (t >= T) continue;
    for (int j = 0; j < kKeys && first + j <= t; ++j) {
      const float score = dot(query, keys + j * kChannels);
      const float now = fmaxf(largest, score);
      const float correction = expf(largest - now), p = expf(score - now);
      sum = sum * correction + p;
      for (int c = 0; c < kChannels; c += N) {
        const Packed<float> value = load_packed(values + j * kChannels + c);
        for (int i = 0; i < N; ++i) weighted[c + i] = weighted[c + i] * correction + p * value[i];
      }
      largest = now;
    }
  }
  for (int c = 0; c < kChannels && t < T; ++c) y[t * kChannels + c] = weighted[c] / sum;
  //@stub
  //| // TODO(08.2): y[t * kChannels + c], for all c. Tiles come from load_tile(keys, k, first, T), the same for values and v.
  //| COURSE_TODO("08.2");
  //@end
}

}  // namespace

void flash_forward(Stream stream, float* y, const float* q, const float* k, const float* v,
                   const float* scales, int64_t heads, int64_t T) {
  launch(flash_kernel, {ceil_div(T, kQueries), heads}, kQueries, 0, stream, y, q, k, v, scales, T);
}
