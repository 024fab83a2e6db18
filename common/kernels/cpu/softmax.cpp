#include "common/kernels/softmax.h"

#include "common/kernels/cpu/parallel.h"
#include "common/kernels/cpu/vector_math.h"

namespace gpt2::cpu {
namespace {

// Makes several passes over the row, which stays in the first-level cache.
void softmax_row(float* y, const float* x, int64_t cols) {
  const float largest = maximum(cols, x);
#pragma omp simd
  for (int64_t j = 0; j < cols; ++j) y[j] = vector_exp(x[j] - largest);
  const float factor = 1.0f / sum(cols, [=](int64_t j) { return y[j]; });
#pragma omp simd
  for (int64_t j = 0; j < cols; ++j) y[j] *= factor;
}

void softmax_backward_row(float* dx, const float* y, const float* dy, int64_t cols) {
  const float dot = sum(cols, [=](int64_t j) { return y[j] * dy[j]; });
#pragma omp simd
  for (int64_t j = 0; j < cols; ++j) dx[j] = y[j] * (dy[j] - dot);
}

}  // namespace

void softmax_forward(Stream, float* y, const float* x, int64_t rows, int64_t cols) {
  parallel_chunks(rows, rows_per_chunk(cols), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) softmax_row(y + row * cols, x + row * cols, cols);
  });
}

void softmax_backward(Stream, float* dx, const float* y, const float* dy, int64_t rows, int64_t cols) {
  parallel_chunks(rows, rows_per_chunk(cols), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      softmax_backward_row(dx + row * cols, y + row * cols, dy + row * cols, cols);
    }
  });
}

}  // namespace gpt2::cpu
