#include "common/kernels/fused_cross_entropy.h"

#include <cmath>
#include <type_traits>

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

// Writes the gradient over a row that is still in the second-level cache: x = (exp(x - largest - log_sum) -
// [j = target]) * factor for j < V, 0 beyond, rounded once.
template <class T>
void gradient_row(T* x, float largest, float log_sum, int64_t target, float factor, int64_t V, int64_t Vp) {
  const float of_target = (vector_exp(x[target] - largest - log_sum) - 1) * factor;
#pragma omp simd
  for (int64_t j = 0; j < V; ++j) x[j] = vector_exp(x[j] - largest - log_sum) * factor;
  x[target] = of_target;
  std::fill(x + V, x + Vp, T(0.0f));
}

// Writes the gradient unless T is const.
template <class T>
void cross_entropy(float* loss, float* losses, T* logits, const int32_t* targets, int64_t rows, int64_t V,
                   int64_t Vp) {
  const float factor = 1 / static_cast<float>(rows);
  parallel_chunks(rows, rows_per_chunk(Vp), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      T* x = logits + row * Vp;
      const OnlineSum online = online_sum(V, x);
      const float largest = online.largest, log_sum = std::log(online.sum);
      losses[row] = log_sum - (x[targets[row]] - largest);
      if constexpr (!std::is_const_v<T>) {
        gradient_row(x, largest, log_sum, targets[row], factor, V, Vp);
      }
    }
  });
  *loss = sum(rows, [=](int64_t row) { return losses[row]; }) / static_cast<float>(rows);
}

}  // namespace

template <class T>
void fused_cross_entropy_forward(Stream, float* loss, float* losses, const T* logits, const int32_t* targets,
                                 int64_t rows, int64_t V, int64_t Vp) {
  cross_entropy(loss, losses, logits, targets, rows, V, Vp);
}

template <class T>
void fused_cross_entropy_gradient(Stream, float* loss, float* losses, T* logits, const int32_t* targets,
                                  int64_t rows, int64_t V, int64_t Vp) {
  cross_entropy(loss, losses, logits, targets, rows, V, Vp);
}

template void fused_cross_entropy_forward(Stream, float*, float*, const float*, const int32_t*, int64_t,
                                          int64_t, int64_t);
template void fused_cross_entropy_forward(Stream, float*, float*, const bf16*, const int32_t*, int64_t,
                                          int64_t, int64_t);
template void fused_cross_entropy_gradient(Stream, float*, float*, float*, const int32_t*, int64_t, int64_t,
                                           int64_t);
template void fused_cross_entropy_gradient(Stream, float*, float*, bf16*, const int32_t*, int64_t, int64_t,
                                           int64_t);

}  // namespace gpt2::cpu
