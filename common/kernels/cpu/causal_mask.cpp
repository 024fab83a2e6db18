#include "common/kernels/causal_mask.h"

#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {

template <class T>
void causal_mask(Stream, T* y, const T* x, float masked, int64_t matrices, int64_t positions) {
  parallel_chunks(matrices * positions, rows_per_chunk(positions), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t visible = row % positions + 1;
      T* y_row = y + row * positions;
      if (y != x) std::copy_n(x + row * positions, visible, y_row);
      std::fill(y_row + visible, y_row + positions, T(masked));
    }
  });
}

template void causal_mask(Stream, float*, const float*, float, int64_t, int64_t);
template void causal_mask(Stream, bf16*, const bf16*, float, int64_t, int64_t);

}  // namespace gpt2::cpu
