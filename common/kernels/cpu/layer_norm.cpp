#include "common/kernels/layer_norm.h"

#include <cmath>

#include "common/kernels/cpu/layer_norm_backward.h"
#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {

void layer_norm_forward(Stream, float* y, float* mean, float* rstd, const float* x, const float* weight,
                        const float* bias, int64_t rows, int64_t C, float eps) {
  const auto count = static_cast<float>(C);
  parallel_chunks(rows, rows_per_chunk(C), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* x_row = x + row * C;
      float* y_row = y + row * C;
      const float m = sum(C, [=](int64_t j) { return x_row[j]; }) / count;
      // Squares of x - mean; E[x^2] - mean^2 would suffer from cancellation. The row is in cache.
      const auto squared = [=](int64_t j) { return (x_row[j] - m) * (x_row[j] - m); };
      const float r = 1.0f / std::sqrt(sum(C, squared) / count + eps);
#pragma omp simd
      for (int64_t j = 0; j < C; ++j) y_row[j] = (x_row[j] - m) * r * weight[j] + bias[j];
      mean[row] = m;
      rstd[row] = r;
    }
  });
}

int64_t layer_norm_partial_sums(int64_t rows) { return branch_chunks(rows); }

int64_t layer_norm_backward_workspace(int64_t rows, int64_t C) {
  const int64_t chunks = layer_norm_chunks(rows);
  return 2 * chunks * C + sum_rows_workspace(chunks, C);
}

void layer_norm_backward(Stream stream, float* dx, float* dweight, float* dbias, const float* dy,
                         const float* x, const float* weight, const float* mean, const float* rstd,
                         float* workspace, int64_t rows, int64_t C, float beta_w, float beta_b) {
  const int64_t sums = layer_norm_chunks(rows) * C;
  const LayerNormBackward<float, float> p{.dx = dx,
                                          .dbranch = nullptr,
                                          .dweights = workspace,
                                          .dbiases = workspace + sums,
                                          .branch_sums = nullptr,
                                          .dy = dy,
                                          .dsum = nullptr,
                                          .x = x,
                                          .weight = weight,
                                          .mean = mean,
                                          .rstd = rstd,
                                          .rows = rows,
                                          .C = C};
  layer_norm_backward(stream, p, dweight, dbias, workspace + 2 * sums, beta_w, beta_b);
}

}  // namespace gpt2::cpu
