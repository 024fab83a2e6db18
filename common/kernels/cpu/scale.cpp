#include "common/kernels/scale.h"

#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {

template <class T>
void scale(Stream, T* y, const T* x, float alpha, int64_t n) {
  parallel_values(n, [=](int64_t i) { y[i] = alpha * x[i]; });
}

template <class T>
void scale_by(Stream stream, T* y, const T* x, const float* alpha, int64_t n) {
  scale(stream, y, x, *alpha, n);
}

template void scale(Stream, float*, const float*, float, int64_t);
template void scale(Stream, bf16*, const bf16*, float, int64_t);
template void scale_by(Stream, float*, const float*, const float*, int64_t);
template void scale_by(Stream, bf16*, const bf16*, const float*, int64_t);

}  // namespace gpt2::cpu
