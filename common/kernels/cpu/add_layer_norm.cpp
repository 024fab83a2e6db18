#include "common/kernels/add_layer_norm.h"

#include <cmath>

#include "common/kernels/cpu/layer_norm_backward.h"
#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {
namespace {

// One row. A function of its own, so that both passes round alike.
template <class X, class Y>
void normalize(Y* y, const X* x, float mean, float rstd, const X* weight, const X* bias, int64_t C) {
#pragma omp simd
  for (int64_t j = 0; j < C; ++j) y[j] = (x[j] - mean) * rstd * weight[j] + bias[j];
}

}  // namespace

// All passes after the first read the row from the first-level cache.
template <class X, class B, class Y>
void add_layer_norm_forward(Stream, X* sum_of, Y* y, float* mean, float* rstd, const X* x, const B* branch,
                            const X* weight, const X* bias, int64_t rows, int64_t C, int64_t branch_rows,
                            float eps) {
  const auto count = static_cast<float>(C);
  parallel_chunks(rows, rows_per_chunk(C), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const X* x_row = x + row * C;
      const B* branch_row = branch + row % branch_rows * C;
      X* s = sum_of + row * C;
      Y* y_row = y + row * C;
#pragma omp simd
      for (int64_t j = 0; j < C; ++j) s[j] = x_row[j] + branch_row[j];
      const float m = sum(C, [=](int64_t j) { return s[j]; }) / count;
      // Squares of x - mean; E[x^2] - mean^2 would suffer from cancellation.
      const auto squared = [=](int64_t j) { return (s[j] - m) * (s[j] - m); };
      const float r = 1.0f / std::sqrt(sum(C, squared) / count + eps);
      normalize(y_row, s, m, r, weight, bias, C);
      mean[row] = m;
      rstd[row] = r;
    }
  });
}

template <class X, class Y>
void layer_norm_again(Stream, Y* y, const X* sum_of, const float* mean, const float* rstd, const X* weight,
                      const X* bias, int64_t rows, int64_t C) {
  parallel_chunks(rows, rows_per_chunk(C), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      normalize(y + row * C, sum_of + row * C, mean[row], rstd[row], weight, bias, C);
    }
  });
}

template <class X, class Y>
void add_layer_norm_backward(Stream stream, X* dx, Y* dbranch, X* dweight, X* dbias, float* branch_sums,
                             const Y* dy, const X* dsum, const X* sum, const X* weight, const float* mean,
                             const float* rstd, float* workspace, int64_t rows, int64_t C, float beta_w,
                             float beta_b) {
  const int64_t sums = layer_norm_chunks(rows) * C;
  const LayerNormBackward<X, Y> p{.dx = dx,
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
template void add_layer_norm_forward(Stream, bf16*, bf16*, float*, float*, const bf16*, const bf16*,
                                     const bf16*, const bf16*, int64_t, int64_t, int64_t, float);
template void layer_norm_again(Stream, float*, const float*, const float*, const float*, const float*,
                               const float*, int64_t, int64_t);
template void layer_norm_again(Stream, bf16*, const float*, const float*, const float*, const float*,
                               const float*, int64_t, int64_t);
template void layer_norm_again(Stream, bf16*, const bf16*, const float*, const float*, const bf16*,
                               const bf16*, int64_t, int64_t);
template void add_layer_norm_backward(Stream, float*, float*, float*, float*, float*, const float*,
                                      const float*, const float*, const float*, const float*, const float*,
                                      float*, int64_t, int64_t, float, float);
template void add_layer_norm_backward(Stream, float*, bf16*, float*, float*, float*, const bf16*,
                                      const float*, const float*, const float*, const float*, const float*,
                                      float*, int64_t, int64_t, float, float);
template void add_layer_norm_backward(Stream, bf16*, bf16*, bf16*, bf16*, float*, const bf16*, const bf16*,
                                      const bf16*, const bf16*, const float*, const float*, float*, int64_t,
                                      int64_t, float, float);

}  // namespace gpt2::cpu
