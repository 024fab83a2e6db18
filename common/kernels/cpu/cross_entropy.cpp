#include "common/kernels/cross_entropy.h"

#include <cmath>

#include "common/kernels/cpu/parallel.h"
#include "common/kernels/cpu/vector_math.h"

namespace gpt2::cpu {

void cross_entropy_forward(Stream, float* loss, float* losses, float* log_sum_exp, const float* logits,
                           const int32_t* targets, int64_t rows, int64_t V) {
  parallel_chunks(rows, rows_per_chunk(V), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* x = logits + row * V;  // 200 KB for GPT-2's vocabulary: in cache for the second pass
      const float largest = maximum(V, x);
      log_sum_exp[row] = largest + std::log(sum(V, [=](int64_t j) { return vector_exp(x[j] - largest); }));
      losses[row] = log_sum_exp[row] - x[targets[row]];
    }
  });
  *loss = sum(rows, [=](int64_t row) { return losses[row]; }) / static_cast<float>(rows);
}

void cross_entropy_backward(Stream, float* dlogits, const float* logits, const float* log_sum_exp,
                            const int32_t* targets, const float* dloss, int64_t rows, int64_t V) {
  const float factor = *dloss / static_cast<float>(rows);
  parallel_chunks(rows, rows_per_chunk(V), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* x = logits + row * V;
      float* dx = dlogits + row * V;
      const float log_sum = log_sum_exp[row];
#pragma omp simd
      for (int64_t j = 0; j < V; ++j) dx[j] = vector_exp(x[j] - log_sum) * factor;
      dx[targets[row]] -= factor;
    }
  });
}

}  // namespace gpt2::cpu
