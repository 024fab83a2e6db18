// Exercise 06.4: SiLU in bf16; a thread reads and writes 16 bytes in one instruction.
#include "silu.h"

#include "common/kernels/cuda/pieces.cuh"
#include "tests/exercises/todo.h"

using namespace gpt2;
using namespace gpt2::cuda;

namespace {

constexpr int N = kPiece<bf16>;  // 8 values in 16 bytes

__global__ void silu_kernel(bf16* y, const bf16* x, int64_t n) {
  //@solution 06.4 kernel
  const int64_t i = first_aligned<N>(x) + first_of_thread<N>();
  Piece<N> piece = load_piece(x, i, n);
  for (float& value : piece.values) value = value / (1 + expf(-value));
  store_piece(y, i, n, piece);
  //@stub
  //| // TODO(06.4): where does this thread's piece of N values begin? Load it, compute, and store it.
  //| COURSE_TODO("06.4");
  //@end
}

}  // namespace

void silu(Stream stream, bf16* y, const bf16* x, int64_t n) {
  //@solution 06.4 blocks
  const int64_t blocks = blocks_for<N>(n + N - 1);  // the first piece may begin N - 1 values before x[0]
  //@stub
  //| const int64_t blocks = COURSE_TODO("06.4");  // TODO(06.4): blocks of kBlock threads with N values each
  //@end
  launch(silu_kernel, blocks, kBlock, 0, stream, y, x, n);
}
