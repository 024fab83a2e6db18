#include "common/kernels/global_norm.h"

#include <cmath>

#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {

template <class G>
void sum_squares(Stream, float* sums, const G* x, int64_t n) {
  parallel_chunks(n, kNormChunk, [=](int64_t begin, int64_t end) {
    sums[begin / kNormChunk] =
        sum(end - begin, [=](int64_t i) { return float(x[begin + i]) * x[begin + i]; });
  });
}

void root_of_sum(Stream, float* norm, const float* sums, int64_t chunks) {
  *norm = std::sqrt(sum(chunks, [=](int64_t i) { return sums[i]; }));
}

template <class G>
void global_norm(Stream stream, float* norm, const G* x, float* workspace, int64_t n) {
  sum_squares(stream, workspace, x, n);
  root_of_sum(stream, norm, workspace, norm_chunks(n));
}

template void global_norm(Stream, float*, const float*, float*, int64_t);
template void global_norm(Stream, float*, const bf16*, float*, int64_t);
template void sum_squares(Stream, float*, const float*, int64_t);
template void sum_squares(Stream, float*, const bf16*, int64_t);

}  // namespace gpt2::cpu
