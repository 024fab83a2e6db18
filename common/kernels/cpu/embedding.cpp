#include "common/kernels/embedding.h"

#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {

void embedding_forward(Stream, float* y, const float* table, const int32_t* ids, int64_t n, int64_t C) {
  parallel_chunks(n, rows_per_chunk(C), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(table + ids[i] * C, C, y + i * C);
  });
}

int64_t embedding_backward_workspace(int64_t, int64_t, int64_t) { return 0; }

void embedding_backward(Stream, float* dtable, const int32_t* ids, const float* dy, float*, int64_t n,
                        int64_t vocab, int64_t C, float beta) {
  if (beta == 0) {
    parallel_values(vocab * C, [=](int64_t i) { dtable[i] = 0; });
  } else if (beta != 1) {
    parallel_values(vocab * C, [=](int64_t i) { dtable[i] *= beta; });
  }
  // Each thread adds a few columns of all rows, in order, so two threads never write the same value.
  constexpr int64_t kColumns = 64;
  parallel_chunks(C, kColumns, [=](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < n; ++i) {
      float* row = dtable + ids[i] * C;
#pragma omp simd
      for (int64_t j = begin; j < end; ++j) row[j] += dy[i * C + j];
    }
  });
}

}  // namespace gpt2::cpu
