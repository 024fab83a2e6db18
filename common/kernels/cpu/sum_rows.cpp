#include "common/kernels/sum_rows.h"

#include <type_traits>

#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {
namespace {

constexpr int64_t kRows = 64;       // rows that share a partial sum
constexpr int64_t kColumns = 2048;  // columns of a partial sum that stay in the first-level cache

int64_t partial_count(int64_t rows) { return (rows + kRows - 1) / kRows; }

// y[j] = beta * y[j] + x[0, j] + ... + x[rows - 1, j] for `cols` of the `stride` columns of x.
template <class X>
void add_rows(float* y, const X* x, int64_t rows, int64_t cols, int64_t stride, float beta) {
#pragma omp simd
  for (int64_t j = 0; j < cols; ++j) y[j] = beta == 0 ? 0 : beta * y[j];
  for (int64_t i = 0; i < rows; ++i) {
#pragma omp simd
    for (int64_t j = 0; j < cols; ++j) y[j] += x[i * stride + j];
  }
}

}  // namespace

int64_t sum_rows_workspace(int64_t rows, int64_t cols) { return partial_count(rows) * cols; }

template <class Y, class X>
void sum_rows(Stream, Y* y, const X* x, float* workspace, int64_t rows, int64_t cols, float beta) {
  const int64_t partials = partial_count(rows), slices = (cols + kColumns - 1) / kColumns;
  parallel_chunks(partials * slices, 1, [=](int64_t tile, int64_t) {
    const int64_t partial = tile / slices, row = partial * kRows, column = tile % slices * kColumns;
    add_rows(workspace + partial * cols + column, x + row * cols + column, std::min(kRows, rows - row),
             std::min(kColumns, cols - column), cols, 0);
  });
  parallel_chunks(cols, kColumns, [=](int64_t begin, int64_t end) {
    if constexpr (std::is_same_v<Y, float>) {
      add_rows(y + begin, workspace + begin, partials, end - begin, cols, beta);
    } else {
      float sums[kColumns];
      for (int64_t j = begin; j < end; ++j) sums[j - begin] = beta == 0 ? 0 : float(y[j]);
      add_rows(sums, workspace + begin, partials, end - begin, cols, beta);
      for (int64_t j = begin; j < end; ++j) y[j] = sums[j - begin];
    }
  });
}

template void sum_rows(Stream, float*, const float*, float*, int64_t, int64_t, float);
template void sum_rows(Stream, float*, const bf16*, float*, int64_t, int64_t, float);
template void sum_rows(Stream, bf16*, const float*, float*, int64_t, int64_t, float);
template void sum_rows(Stream, bf16*, const bf16*, float*, int64_t, int64_t, float);

}  // namespace gpt2::cpu
