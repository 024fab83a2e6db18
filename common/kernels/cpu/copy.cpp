#include "common/kernels/copy.h"

#include "common/kernels/cpu/parallel.h"

namespace gpt2::cpu {
namespace {

int64_t offset(const Dims4& index, const Dims4& strides) {
  return index[0] * strides[0] + index[1] * strides[1] + index[2] * strides[2] + index[3] * strides[3];
}

template <class Y, class X>
void copy_run(Y* y, int64_t y_stride, const X* x, int64_t x_stride, int64_t n) {
  if (y_stride == 1 && x_stride == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = x[i];
  } else {
    for (int64_t i = 0; i < n; ++i) y[i * y_stride] = x[i * x_stride];
  }
}

}  // namespace

template <class Y, class X>
void copy_strided(Stream, Y* y, const X* x, const Dims4& shape, const Dims4& y_strides,
                  const Dims4& x_strides) {
  const int64_t n = shape[0] * shape[1] * shape[2] * shape[3];
  parallel_chunks(n, kGrain, [&](int64_t begin, int64_t end) {
    // A chunk may begin in the middle of a run along the last dimension; the next runs begin at index 0.
    Dims4 index;
    int64_t rest = begin;
    for (int d = 3; d >= 0; --d) {
      index[d] = rest % shape[d];
      rest /= shape[d];
    }
    for (int64_t done = begin; done < end;) {
      const int64_t run = std::min(end - done, shape[3] - index[3]);
      copy_run(y + offset(index, y_strides), y_strides[3], x + offset(index, x_strides), x_strides[3], run);
      done += run;
      index[3] = 0;
      for (int d = 2; d >= 0 && ++index[d] == shape[d]; --d) index[d] = 0;
    }
  });
}

template void copy_strided(Stream, float*, const float*, const Dims4&, const Dims4&, const Dims4&);
template void copy_strided(Stream, bf16*, const bf16*, const Dims4&, const Dims4&, const Dims4&);
template void copy_strided(Stream, bf16*, const float*, const Dims4&, const Dims4&, const Dims4&);
template void copy_strided(Stream, float*, const bf16*, const Dims4&, const Dims4&, const Dims4&);

}  // namespace gpt2::cpu
