#include "common/kernels/add_layer_norm.h"

#include <cmath>

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

namespace {

// dx[j] = dsum[j] + through(j); without dsum if it is null.
template <class Through>
void add_gradient(float* dx, const float* dsum, int64_t C, const Through& through) {
  if (dsum) {
#pragma omp simd
    for (int64_t j = 0; j < C; ++j) dx[j] = dsum[j] + through(j);
  } else {
#pragma omp simd
    for (int64_t j = 0; j < C; ++j) dx[j] = through(j);
  }
}

}  // namespace

template <class Y>
void add_layer_norm_backward_input(Stream, float* dx, Y* dbranch, const Y* dy, const float* dsum,
                                   const float* sum_of, const float* weight, const float* mean,
                                   const float* rstd, int64_t rows, int64_t C) {
  const auto count = static_cast<float>(C);
  parallel_chunks(rows, rows_per_chunk(C), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* s = sum_of + row * C;
      const Y* dy_row = dy + row * C;
      float* dx_row = dx + row * C;
      const float m = mean[row], r = rstd[row];
      const auto x_hat = [=](int64_t j) { return (s[j] - m) * r; };
      const auto g = [=](int64_t j) { return dy_row[j] * weight[j]; };
      const float mean_g = sum(C, g) / count;
      const float mean_g_x_hat = sum(C, [=](int64_t j) { return g(j) * x_hat(j); }) / count;
      add_gradient(dx_row, dsum ? dsum + row * C : nullptr, C,
                   [=](int64_t j) { return r * (g(j) - mean_g - x_hat(j) * mean_g_x_hat); });
      if (!dbranch) continue;
      Y* dbranch_row = dbranch + row * C;
#pragma omp simd
      for (int64_t j = 0; j < C; ++j) dbranch_row[j] = dx_row[j];
    }
  });
}

template void add_layer_norm_forward(Stream, float*, float*, float*, float*, const float*, const float*,
                                     const float*, const float*, int64_t, int64_t, int64_t, float);
template void add_layer_norm_forward(Stream, float*, bf16*, float*, float*, const float*, const bf16*,
                                     const float*, const float*, int64_t, int64_t, int64_t, float);
template void add_layer_norm_forward(Stream, float*, bf16*, float*, float*, const float*, const float*,
                                     const float*, const float*, int64_t, int64_t, int64_t, float);
template void add_layer_norm_backward_input(Stream, float*, float*, const float*, const float*, const float*,
                                            const float*, const float*, const float*, int64_t, int64_t);
template void add_layer_norm_backward_input(Stream, float*, bf16*, const bf16*, const float*, const float*,
                                            const float*, const float*, const float*, int64_t, int64_t);

}  // namespace gpt2::cpu
