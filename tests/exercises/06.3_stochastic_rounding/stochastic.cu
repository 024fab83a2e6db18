// Exercise 06.3: sums that are rounded up or down at random, with the same bits on CPU and GPU.
#include "stochastic.h"

#include "common/kernels/cuda/gpu.cuh"
#include "common/kernels/philox.h"
#include "tests/exercises/todo.h"

using namespace gpt2;
using namespace gpt2::cuda;

namespace {

constexpr int kThreads = 128;

GPT2_HOST_DEVICE uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

GPT2_HOST_DEVICE float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

}  // namespace

GPT2_HOST_DEVICE float round_stochastically(float x, int kept, uint32_t random) {
  //@solution 06.3 round
  const uint32_t bits = bits_of(x), dropped = (uint32_t{1} << (23 - kept)) - 1;
  const bool is_nan = (bits & 0x7fffffff) > 0x7f800000;  // its mantissa could be carried away
  return is_nan ? x : float_of((bits + (random & dropped)) & ~dropped);
  //@stub
  //| // TODO(06.3): a mask of the bits to drop; bits_of and float_of convert.
  //| return COURSE_TODO("06.3");
  //@end
}

GPT2_HOST_DEVICE uint32_t random_word(int64_t i, uint64_t seed, uint32_t step) {
  //@solution 06.3 random
  const uint64_t group = uint64_t(i) / 4;
  const PhiloxWords words = philox({uint32_t(group), uint32_t(group >> 32), step, 0}, seed);
  const uint32_t all[4] = {words.a, words.b, words.c, words.d};
  return all[i % 4];
  //@stub
  //| // TODO(06.3): one of the four words of philox (common/kernels/philox.h).
  //| return COURSE_TODO("06.3");
  //@end
}

namespace {

__global__ void add_kernel(float* weights, const float* updates, int64_t n, int kept, uint64_t seed,
                           uint32_t step) {
  //@solution 06.3 gpu
  const int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (i < n) weights[i] = round_stochastically(weights[i] + updates[i], kept, random_word(i, seed, step));
  //@stub
  //| // TODO(06.3): this thread's value.
  //| COURSE_TODO("06.3");
  //@end
}

}  // namespace

void add_on_gpu(Stream stream, float* weights, const float* updates, int64_t n, int kept, uint64_t seed,
                uint32_t step) {
  launch(add_kernel, ceil_div(n, kThreads), kThreads, 0, stream, weights, updates, n, kept, seed, step);
}

void add_on_cpu(float* weights, const float* updates, int64_t n, int kept, uint64_t seed, uint32_t step) {
  //@solution 06.3 cpu
  for (int64_t i = 0; i < n; ++i)
    weights[i] = round_stochastically(weights[i] + updates[i], kept, random_word(i, seed, step));
  //@stub
  //| // TODO(06.3): all n values.
  //| COURSE_TODO("06.3");
  //@end
}
