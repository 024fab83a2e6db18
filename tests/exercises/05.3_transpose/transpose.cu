// Exercise 05.3: the transpose of a matrix, one block for each tile of 32 x 32 values.
#include "transpose.h"

#include "common/kernels/cuda/gpu.cuh"
#include "tests/exercises/todo.h"

using namespace gpt2;
using namespace gpt2::cuda;

namespace {

constexpr int kTile = 32, kRowsAtOnce = 8;  // 32 x 8 threads

__global__ void transpose_kernel(float* y, const float* x, int64_t rows, int64_t cols) {
  const int64_t first_row = blockIdx.y * int64_t{kTile}, first_col = blockIdx.x * int64_t{kTile};
  const int lane = int(threadIdx.x);
  //@solution 05.3
  __shared__ float tile[kTile][kTile + 1];  // one word more, so that a column lies in 32 different banks
  for (int i = int(threadIdx.y); i < kTile; i += kRowsAtOnce) {
    const int64_t row = first_row + i, col = first_col + lane;
    if (row < rows && col < cols) tile[i][lane] = x[row * cols + col];
  }
  __syncthreads();
  for (int i = int(threadIdx.y); i < kTile; i += kRowsAtOnce) {
    const int64_t row = first_row + lane, col = first_col + i;  // neighbouring lanes write neighbouring rows
    if (row < rows && col < cols) y[col * rows + row] = tile[lane][i];
  }
  //@stub
  //| // TODO(05.3): the tile of x to shared memory, then from there to y.
  //| COURSE_TODO("05.3");
  //@end
}

}  // namespace

void transpose(Stream stream, float* y, const float* x, int64_t rows, int64_t cols) {
  launch(transpose_kernel, {ceil_div(cols, kTile), ceil_div(rows, kTile)}, {kTile, kRowsAtOnce}, 0, stream, y,
         x, rows, cols);
}
