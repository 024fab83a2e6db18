#include "common/kernels/add_layer_norm.h"

#include <cmath>

#include "common/kernels/cpu/layer_norm_backward.h"
#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {

// All passes after the first read the row from the first-level cache.
template <class B, class Y>
void add_layer_norm_forward(Stream, float* sum_of, Y* y, float* mean, float* rstd, const float* x,
                            const B* branch, const float* weight, const float* bias, int64_t rows, int64_t C,
                            int64_t branch_rows, float eps) {
  const auto count = static_cast<float>(C);
  parallel_chunks(rows, rows_per_chunk(C), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* x_row = x + row * C;
      const B* branch_row = branch + row % branch_rows * C;
      float* s = sum_of + row * C;
      Y* y_row = y + row * C;
#pragma omp simd
      for (int64_t j = 0; j < C; ++j) s[j] = x_row[j] + branch_row[j];
      const float m = sum(C, [=](int64_t j) { return s[j]; }) / count;
      // Squares of x - mean; E[x^2] - mean^2 would suffer from cancellation.
      const auto squared = [=](int64_t j) { return (s[j] - m) * (s[j] - m); };
      const float r = 1.0f / std::sqrt(sum(C, squared) / count + eps);
#pragma omp simd
      for (int64_t j = 0; j < C; ++j) y_row[j] = (s[j] - m) * r * weight[j] + bias[j];
      mean[row] = m;
      rstd[row] = r;
    }
  });
}

template <class Y>
void add_layer_norm_backward(Stream stream, float* dx, Y* dbranch, float* dweight, float* dbias,
                             float* branch_sums, const Y* dy, const float* dsum, const float* sum,
                             const float* weight, const float* mean, const float* rstd, float* workspace,
                             int64_t rows, int64_t C, float beta_w, float beta_b) {
  const int64_t sums = layer_norm_chunks(rows) * C;
  const LayerNormBackward<Y> p{.dx = dx,
                               .dbranch = dbranch,
                               .dweights = workspace,
                               .dbiases = workspace + sums,
                               .branch_sums = branch_sums,
                               .dy = dy,
                               .dsum = dsum,
                               .x = sum,
                               .weight = weight,
                               .mean = mean,
                               .rstd = rstd,
                               .rows = rows,
                               .C = C};
  layer_norm_backward(stream, p, dweight, dbias, workspace + 2 * sums, beta_w, beta_b);
}

template void add_layer_norm_forward(Stream, float*, float*, float*, float*, const float*, const float*,
                                     const float*, const float*, int64_t, int64_t, int64_t, float);
template void add_layer_norm_forward(Stream, float*, bf16*, float*, float*, const float*, const bf16*,
                                     const float*, const float*, int64_t, int64_t, int64_t, float);
template void add_layer_norm_forward(Stream, float*, bf16*, float*, float*, const float*, const float*,
                                     const float*, const float*, int64_t, int64_t, int64_t, float);
template void add_layer_norm_backward(Stream, float*, float*, float*, float*, float*, const float*,
                                      const float*, const float*, const float*, const float*, const float*,
                                      float*, int64_t, int64_t, float, float);
template void add_layer_norm_backward(Stream, float*, bf16*, float*, float*, float*, const bf16*,
                                      const float*, const float*, const float*, const float*, const float*,
                                      float*, int64_t, int64_t, float, float);

}  // namespace gpt2::cpu
