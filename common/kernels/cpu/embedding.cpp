#include "common/kernels/embedding.h"

#include <numeric>

#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {

template <class T>
void embedding_forward(Stream, T* y, const T* table, const int32_t* ids, int64_t n, int64_t C) {
  parallel_chunks(n, rows_per_chunk(C), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) std::copy_n(table + ids[i] * C, C, y + i * C);
  });
}

// The positions of bf16 rows in order of their ids.
int64_t embedding_backward_workspace(int64_t n, int64_t, int64_t) { return n; }

namespace {

template <class T>
void scale(T* x, int64_t n, float beta) {
  if (beta == 0) {
    parallel_values(n, [=](int64_t i) { x[i] = 0; });
  } else if (beta != 1) {
    parallel_values(n, [=](int64_t i) { x[i] = beta * x[i]; });
  }
}

// Each thread adds a few columns of all rows, in order, so two threads never write the same value.
constexpr int64_t kColumns = 64;

}  // namespace

template <>
void embedding_backward(Stream, float* dtable, const int32_t* ids, const float* dy, float*, int64_t n,
                        int64_t vocab, int64_t C, float beta) {
  scale(dtable, vocab * C, beta);
  parallel_chunks(C, kColumns, [=](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < n; ++i) {
      float* row = dtable + ids[i] * C;
#pragma omp simd
      for (int64_t j = begin; j < end; ++j) row[j] += dy[i * C + j];
    }
  });
}

// A sum of bf16 values is rounded once, at its end. So the rows of one id follow each other.
template <>
void embedding_backward(Stream, bf16* dtable, const int32_t* ids, const bf16* dy, float* workspace, int64_t n,
                        int64_t vocab, int64_t C, float beta) {
  scale(dtable, vocab * C, beta);
  auto* order = reinterpret_cast<int32_t*>(workspace);
  std::iota(order, order + n, 0);
  std::sort(order, order + n,
            [=](int32_t a, int32_t b) { return ids[a] != ids[b] ? ids[a] < ids[b] : a < b; });
  parallel_chunks(C, kColumns, [=](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < n;) {
      const int32_t id = ids[order[i]];
      bf16* row = dtable + id * C;
      float sums[kColumns];
      for (int64_t j = begin; j < end; ++j) sums[j - begin] = row[j];
      for (; i < n && ids[order[i]] == id; ++i) {
        const bf16* addend = dy + order[i] * C;
#pragma omp simd
        for (int64_t j = begin; j < end; ++j) sums[j - begin] += addend[j];
      }
      for (int64_t j = begin; j < end; ++j) row[j] = sums[j - begin];
    }
  });
}

template void embedding_forward(Stream, float*, const float*, const int32_t*, int64_t, int64_t);
template void embedding_forward(Stream, bf16*, const bf16*, const int32_t*, int64_t, int64_t);

}  // namespace gpt2::cpu
