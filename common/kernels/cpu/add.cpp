#include "common/kernels/add.h"

#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {

template <class T, class B>
void add(Stream, T* y, const T* a, const B* b, int64_t n, int64_t period) {
  parallel_chunks(n, kGrain, [=](int64_t begin, int64_t end) {
    // One division per repetition of b, not per value.
    for (int64_t i = begin; i < end;) {
      const int64_t start = i % period, run = std::min(end - i, period - start);
#pragma omp simd
      for (int64_t j = 0; j < run; ++j) y[i + j] = a[i + j] + b[start + j];
      i += run;
    }
  });
}

template void add(Stream, float*, const float*, const float*, int64_t, int64_t);
template void add(Stream, float*, const float*, const bf16*, int64_t, int64_t);
template void add(Stream, bf16*, const bf16*, const bf16*, int64_t, int64_t);

}  // namespace gpt2::cpu
