// Exercise 16.2: the result of an RMSNorm once more, from its input and the numbers that the forward pass kept.
#include "again.h"

#include "common/kernels/cuda/pieces.cuh"
#include "tests/exercises/todo.h"

using namespace gpt2;
using namespace gpt2::cuda;

namespace {

constexpr int kThreads = 64;
constexpr int N = kPiece<float>;  // 4 values in 16 bytes

__global__ void rms_norm_again_kernel(float* y, const float* x, const float* r, const float* weight,
                                      int64_t C) {
  //@solution 16.2
  const int64_t row = blockIdx.x;
  const float factor = r[row];
  for (int64_t i = threadIdx.x * N; i < C; i += kThreads * N) {
    Piece<N> piece = load_piece(x + row * C, i, C);
    const Piece<N> w = load_piece(weight, i, C);
    for (int k = 0; k < N; ++k) piece[k] = (piece[k] * factor) * (1 + w[k]);
    store_piece(y + row * C, i, C, piece);
  }
  //@stub
  //| // TODO(16.2): this block's row, and in it the pieces of this thread.
  //| COURSE_TODO("16.2");
  //@end
}

}  // namespace

void rms_norm_again(Stream stream, float* y, const float* x, const float* r, const float* weight,
                    int64_t rows, int64_t C) {
  launch(rms_norm_again_kernel, rows, kThreads, 0, stream, y, x, r, weight, C);
}
