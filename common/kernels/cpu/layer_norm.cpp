#include "common/kernels/layer_norm.h"

#include <cmath>

#include "common/kernels/cpu/parallel.h"
#include "common/kernels/sum_rows.h"

namespace gpt2::cpu {
namespace {

constexpr int64_t kRows = 32;  // rows that share a partial sum of the weight gradients

int64_t partial_count(int64_t rows) { return (rows + kRows - 1) / kRows; }

}  // namespace

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

void layer_norm_backward_input(Stream, float* dx, const float* dy, const float* x, const float* weight,
                               const float* mean, const float* rstd, int64_t rows, int64_t C) {
  const auto count = static_cast<float>(C);
  parallel_chunks(rows, rows_per_chunk(C), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float *x_row = x + row * C, *dy_row = dy + row * C;
      float* dx_row = dx + row * C;
      const float m = mean[row], r = rstd[row];
      const auto x_hat = [=](int64_t j) { return (x_row[j] - m) * r; };
      const auto g = [=](int64_t j) { return dy_row[j] * weight[j]; };
      const float mean_g = sum(C, g) / count;
      const float mean_g_x_hat = sum(C, [=](int64_t j) { return g(j) * x_hat(j); }) / count;
#pragma omp simd
      for (int64_t j = 0; j < C; ++j) dx_row[j] = r * (g(j) - mean_g - x_hat(j) * mean_g_x_hat);
    }
  });
}

int64_t layer_norm_backward_workspace(int64_t rows, int64_t C) {
  const int64_t partials = partial_count(rows);
  return 2 * partials * C + sum_rows_workspace(partials, C);
}

template <class Y>
void layer_norm_backward_weight(Stream stream, float* dweight, float* dbias, const Y* dy, const float* x,
                                const float* mean, const float* rstd, float* workspace, int64_t rows,
                                int64_t C, float beta_w, float beta_b) {
  const int64_t partials = partial_count(rows);
  float *partial_dweight = workspace, *partial_dbias = workspace + partials * C;  // each (partials, C)
  parallel_chunks(rows, kRows, [=](int64_t begin, int64_t end) {
    float* dw = partial_dweight + begin / kRows * C;
    float* db = partial_dbias + begin / kRows * C;
    std::fill_n(dw, C, 0.0f);
    std::fill_n(db, C, 0.0f);
    for (int64_t row = begin; row < end; ++row) {
      const float* x_row = x + row * C;
      const Y* dy_row = dy + row * C;
      const float m = mean[row], r = rstd[row];
#pragma omp simd
      for (int64_t j = 0; j < C; ++j) {
        dw[j] += dy_row[j] * ((x_row[j] - m) * r);
        db[j] += dy_row[j];
      }
    }
  });
  float* rest = workspace + 2 * partials * C;
  sum_rows(stream, dweight, partial_dweight, rest, partials, C, beta_w);
  sum_rows(stream, dbias, partial_dbias, rest, partials, C, beta_b);
}

template void layer_norm_backward_weight(Stream, float*, float*, const float*, const float*, const float*,
                                         const float*, float*, int64_t, int64_t, float, float);
template void layer_norm_backward_weight(Stream, float*, float*, const bf16*, const float*, const float*,
                                         const float*, float*, int64_t, int64_t, float, float);

}  // namespace gpt2::cpu
