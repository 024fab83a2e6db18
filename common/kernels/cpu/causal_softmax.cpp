#include "common/kernels/causal_softmax.h"

#include "common/kernels/cpu/parallel.h"
#include "common/kernels/cpu/vector_math.h"

namespace gpt2::cpu {
namespace {

// The visible part of a row, which stays in the first-level cache. The exponentials are worked out twice: cheaper
// than a place to keep them in float, which y need not be.
template <class T>
void softmax_row(T* y, const T* x, float scale, int64_t visible) {
  const float largest = scale * maximum(visible, x);
  const auto exponential = [=](int64_t j) { return vector_exp(scale * x[j] - largest); };
  const float factor = 1.0f / sum(visible, exponential);
#pragma omp simd
  for (int64_t j = 0; j < visible; ++j) y[j] = exponential(j) * factor;
}

template <class T>
void softmax_backward_row(T* dx, const T* y, const T* dy, float scale, int64_t visible) {
  const float dot = sum(visible, [=](int64_t j) { return y[j] * dy[j]; });
#pragma omp simd
  for (int64_t j = 0; j < visible; ++j) dx[j] = scale * y[j] * (dy[j] - dot);
}

// body(offset, visible) for every row, then zeros right of the diagonal of y.
template <class T, class Body>
void for_causal_rows(T* y, int64_t matrices, int64_t positions, const Body& body) {
  parallel_chunks(matrices * positions, rows_per_chunk(positions), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t visible = row % positions + 1, offset = row * positions;
      body(offset, visible);
      std::fill(y + offset + visible, y + offset + positions, T(0.0f));
    }
  });
}

}  // namespace

template <class T>
void causal_softmax_forward(Stream, T* y, const T* x, float scale, int64_t matrices, int64_t positions) {
  for_causal_rows(y, matrices, positions, [=](int64_t offset, int64_t visible) {
    softmax_row(y + offset, x + offset, scale, visible);
  });
}

template <class T>
void causal_softmax_backward(Stream, T* dx, const T* y, const T* dy, float scale, int64_t matrices,
                             int64_t positions) {
  for_causal_rows(dx, matrices, positions, [=](int64_t offset, int64_t visible) {
    softmax_backward_row(dx + offset, y + offset, dy + offset, scale, visible);
  });
}

template void causal_softmax_forward(Stream, float*, const float*, float, int64_t, int64_t);
template void causal_softmax_forward(Stream, bf16*, const bf16*, float, int64_t, int64_t);
template void causal_softmax_backward(Stream, float*, const float*, const float*, float, int64_t, int64_t);
template void causal_softmax_backward(Stream, bf16*, const bf16*, const bf16*, float, int64_t, int64_t);

}  // namespace gpt2::cpu
