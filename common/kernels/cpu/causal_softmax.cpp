#include "common/kernels/causal_softmax.h"

#include <limits>
#include <vector>

#include "common/kernels/cpu/parallel.h"
#include "common/kernels/cpu/vector_math.h"

namespace gpt2::cpu {
namespace {

int64_t whole_lanes(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

// Softmax of the visible part of a row. The exponentials are kept in float and padded with exp(-inf) to whole
// vectors. Half of the rows are so short that handling the last few values one by one would take longer than
// the rest.
template <class T>
void softmax_row(T* y, const T* x, float* kept, float scale, int64_t visible) {
  const int64_t padded = whole_lanes(visible);
#pragma omp simd
  for (int64_t j = 0; j < visible; ++j) kept[j] = scale * x[j];
  std::fill(kept + visible, kept + padded, -std::numeric_limits<float>::infinity());
  const float largest = maximum(padded, kept);
#pragma omp simd
  for (int64_t j = 0; j < padded; ++j) kept[j] = vector_exp(kept[j] - largest);
  const float factor = 1.0f / sum(padded, [=](int64_t j) { return kept[j]; });
#pragma omp simd
  for (int64_t j = 0; j < visible; ++j) y[j] = kept[j] * factor;
}

template <class T>
void softmax_backward_row(T* dx, const T* y, const T* dy, float scale, int64_t visible) {
  const float dot = sum(visible, [=](int64_t j) { return y[j] * dy[j]; });
#pragma omp simd
  for (int64_t j = 0; j < visible; ++j) dx[j] = scale * y[j] * (dy[j] - dot);
}

template <class T>
void fill_behind_the_mask(T* row, int64_t visible, int64_t positions) {
  std::fill(row + visible, row + positions, T(0.0f));
}

}  // namespace

template <class T>
void causal_softmax_forward(Stream, T* y, const T* x, float scale, int64_t matrices, int64_t positions) {
  parallel_chunks(matrices * positions, rows_per_chunk(positions), [=](int64_t begin, int64_t end) {
    std::vector<float> kept(size_t(whole_lanes(positions)));
    for (int64_t row = begin; row < end; ++row) {
      const int64_t visible = row % positions + 1, first = row * positions;
      softmax_row(y + first, x + first, kept.data(), scale, visible);
      fill_behind_the_mask(y + first, visible, positions);
    }
  });
}

template <class T>
void causal_softmax_backward(Stream, T* dx, const T* y, const T* dy, float scale, int64_t matrices,
                             int64_t positions) {
  parallel_chunks(matrices * positions, rows_per_chunk(positions), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t visible = row % positions + 1, first = row * positions;
      softmax_backward_row(dx + first, y + first, dy + first, scale, visible);
      fill_behind_the_mask(dx + first, visible, positions);
    }
  });
}

template void causal_softmax_forward(Stream, float*, const float*, float, int64_t, int64_t);
template void causal_softmax_forward(Stream, bf16*, const bf16*, float, int64_t, int64_t);
template void causal_softmax_backward(Stream, float*, const float*, const float*, float, int64_t, int64_t);
template void causal_softmax_backward(Stream, bf16*, const bf16*, const bf16*, float, int64_t, int64_t);

}  // namespace gpt2::cpu
