#include "common/kernels/sum_rows.h"

#include "common/kernels/cuda/column_sums.cuh"

namespace gpt2::cuda {
namespace {

// Row c of `out` becomes beta * itself + the sum of chunk c of x's rows.
template <class Y, class X>
__global__ void sum_rows_kernel(Y* out, const X* x, int64_t rows, int64_t cols, float beta) {
  const ColumnChunk chunk(rows);
  store_column_sums(out + blockIdx.y * cols, sum_of_columns(chunk, x, cols), chunk.first, cols, beta);
}

template <class Y, class X>
void sum_chunks(Stream stream, Y* out, const X* x, int64_t chunks, int64_t rows, int64_t cols, float beta) {
  launch(sum_rows_kernel<Y, X>, {ceil_div(cols, kColumns), chunks}, {kColumnWarps * kWarp}, 0, stream, out, x,
         rows, cols, beta);
}

}  // namespace

int64_t sum_rows_workspace(int64_t rows, int64_t cols) {
  const int64_t chunks = row_chunks(rows, cols);
  return chunks == 1 ? 0 : chunks * cols;
}

template <class Y, class X>
void sum_rows(Stream stream, Y* y, const X* x, float* workspace, int64_t rows, int64_t cols, float beta) {
  const int64_t chunks = row_chunks(rows, cols);
  if (chunks == 1) return sum_chunks(stream, y, x, 1, rows, cols, beta);
  sum_chunks(stream, workspace, x, chunks, rows, cols, 0);
  sum_chunks(stream, y, workspace, 1, chunks, cols, beta);
}

template void sum_rows(Stream, float*, const float*, float*, int64_t, int64_t, float);
template void sum_rows(Stream, float*, const bf16*, float*, int64_t, int64_t, float);
template void sum_rows(Stream, bf16*, const float*, float*, int64_t, int64_t, float);
template void sum_rows(Stream, bf16*, const bf16*, float*, int64_t, int64_t, float);

}  // namespace gpt2::cuda
