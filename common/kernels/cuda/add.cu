#include "common/kernels/add.h"

#include <algorithm>

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

// Column blocks over b in x, its repetitions over a in y: no thread divides by the period, and each keeps its
// piece of b for all repetitions that it adds.
__global__ void add_kernel(float* y, const float* a, const float* b, int64_t period, int64_t repetitions) {
  const int64_t i = first_of_thread();
  const Packed<float> addend = load_piece(b, i, period);
  for (int64_t r = blockIdx.y; r < repetitions; r += gridDim.y) {
    Packed<float> sum = load_piece(a + r * period, i, period);
    for (int k = 0; k < kFloats; ++k) sum[k] += addend[k];
    store_piece(y + r * period, i, period, sum);
  }
}

}  // namespace

void add(Stream stream, float* y, const float* a, const float* b, int64_t n, int64_t period) {
  const int64_t repetitions = n / period, threads = threads_for_row(period, kBlock);
  launch(add_kernel, {ceil_div(period, threads * kFloats), std::min(repetitions, kMaxGridY)}, {threads}, 0,
         stream, y, a, b, period, repetitions);
}

}  // namespace gpt2::cuda
