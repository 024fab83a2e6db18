#include "common/kernels/fused_cross_entropy.h"

#include <cmath>

#include "common/kernels/cpu/parallel.h"
#include "common/kernels/cpu/vector_math.h"

namespace gpt2::cpu {
namespace {

constexpr int64_t kColumns = 4096;  // a block: stays in the first-level cache from the maximum to the sum

// The largest value and the sum of exponentials in one pass over memory (Milakov & Gimelshein 2018, algorithm
// 3): when a larger value is found, the sum so far is rescaled to it.
struct OnlineSum {
  float largest = std::numeric_limits<float>::lowest();  // not -inf: -inf - -inf would be NaN
  float sum = 0;                                         // of exp(x - largest)
};

template <class T>
OnlineSum online_sum(int64_t n, const T* x) {
  OnlineSum online;
  for (int64_t first = 0; first < n; first += kColumns) {
    const T* block = x + first;
    const int64_t cols = std::min(kColumns, n - first);
    const float largest = std::max(online.largest, maximum(cols, block));
    const float block_sum = sum(cols, [=](int64_t j) { return vector_exp(block[j] - largest); });
    online.sum = online.sum * vector_exp(online.largest - largest) + block_sum;
    online.largest = largest;
  }
  return online;
}

// x = (exp(x - largest - log_sum) - [j = target]) * factor, rounded once.
template <class T>
void gradient_row(T* x, float largest, float log_sum, int64_t target, float factor, int64_t n) {
  const float of_target = (vector_exp(x[target] - largest - log_sum) - 1) * factor;
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) x[j] = vector_exp(x[j] - largest - log_sum) * factor;
  x[target] = of_target;
}

}  // namespace

template <class T>
void fused_cross_entropy_forward(Stream, float* loss, float* losses, float* largest, float* log_sum,
                                 const T* logits, const int32_t* targets, int64_t rows, int64_t V,
                                 int64_t Vp) {
  parallel_chunks(rows, rows_per_chunk(V), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* x = logits + row * Vp;
      const OnlineSum online = online_sum(V, x);
      largest[row] = online.largest;
      log_sum[row] = std::log(online.sum);
      losses[row] = log_sum[row] - (x[targets[row]] - online.largest);
    }
  });
  *loss = sum(rows, [=](int64_t row) { return losses[row]; }) / static_cast<float>(rows);
}

template <class T>
void fused_cross_entropy_backward(Stream, T* logits, const float* largest, const float* log_sum,
                                  const int32_t* targets, const float* dloss, int64_t rows, int64_t V,
                                  int64_t Vp) {
  const float factor = *dloss / static_cast<float>(rows);
  parallel_chunks(rows, rows_per_chunk(Vp), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      T* x = logits + row * Vp;
      gradient_row(x, largest[row], log_sum[row], targets[row], factor, V);
      std::fill(x + V, x + Vp, T(0.0f));
    }
  });
}

template void fused_cross_entropy_forward(Stream, float*, float*, float*, float*, const float*,
                                          const int32_t*, int64_t, int64_t, int64_t);
template void fused_cross_entropy_forward(Stream, float*, float*, float*, float*, const bf16*, const int32_t*,
                                          int64_t, int64_t, int64_t);
template void fused_cross_entropy_backward(Stream, float*, const float*, const float*, const int32_t*,
                                           const float*, int64_t, int64_t, int64_t);
template void fused_cross_entropy_backward(Stream, bf16*, const float*, const float*, const int32_t*,
                                           const float*, int64_t, int64_t, int64_t);

}  // namespace gpt2::cpu
