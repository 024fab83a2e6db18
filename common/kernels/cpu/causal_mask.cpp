#include "common/kernels/causal_mask.h"

#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {

void causal_mask(Stream, float* y, const float* x, float masked, int64_t matrices, int64_t T) {
  parallel_chunks(matrices * T, rows_per_chunk(T), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t visible = row % T + 1;
      float* y_row = y + row * T;
      if (y != x) std::copy_n(x + row * T, visible, y_row);
      std::fill(y_row + visible, y_row + T, masked);
    }
  });
}

}  // namespace gpt2::cpu
