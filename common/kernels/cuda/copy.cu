#include "common/kernels/copy.h"

#include <algorithm>

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

// Plain arrays, because the operators of std::array are host functions.
struct Layout {
  int64_t shape[4], y[4], x[4];  // shape[3] counts pieces of N values, strides count values
};

// A thread copies N adjacent values, or one. A copy to the same type keeps all bits, even those of a NaN.
template <int N, class Y, class X>
__device__ void copy_values(Y* y, const X* x) {
  if constexpr (N == 1) {
    *y = *x;
  } else if constexpr (std::is_same_v<Y, X>) {
    store_whole(y, load_whole<N>(x));
  } else {
    store_whole(y, rounded<Y>(Piece<N>(load_whole<N>(x))));
  }
}

// Threads in x cover the two inner dimensions, so each needs one division to find its place; blocks in y and
// z cover the outer dimensions. Neighbouring threads write neighbours in the last dimension. If x has another
// order (a transposed matrix), each read uses only one value of a cache line.
template <int N, class Y, class X>
__global__ void copy_strided_kernel(Y* y, const X* x, Layout layout) {
  const int64_t i = blockIdx.x * int64_t{blockDim.x} + threadIdx.x;
  const int64_t i2 = i / layout.shape[3], i3 = i % layout.shape[3];
  if (i2 >= layout.shape[2]) return;
  for (int64_t i0 = blockIdx.z; i0 < layout.shape[0]; i0 += gridDim.z) {
    for (int64_t i1 = blockIdx.y; i1 < layout.shape[1]; i1 += gridDim.y) {
      copy_values<N>(y + i0 * layout.y[0] + i1 * layout.y[1] + i2 * layout.y[2] + i3 * layout.y[3],
                     x + i0 * layout.x[0] + i1 * layout.x[1] + i2 * layout.x[2] + i3 * layout.x[3]);
    }
  }
}

// Casts one dense array into another, for example all weights in each step: no divisions, any number of
// values.
template <class Y, class X>
__global__ void cast_kernel(Y* y, const X* x, int64_t n) {
  constexpr int N = kPiece<Y, X>;
  const int64_t i = first_of_thread<N>();
  store_piece(y, i, n, Piece<N>(load_piece<N>(x, i, n)));
}

template <int N, class Y, class X>
void launch_copy(Stream stream, Y* y, const X* x, const Layout& layout) {
  const auto& shape = layout.shape;
  launch(
      copy_strided_kernel<N, Y, X>,
      {ceil_div(shape[2] * shape[3], kBlock), std::min(shape[1], kMaxGridY), std::min(shape[0], kMaxGridY)},
      {kBlock}, 0, stream, y, x, layout);
}

bool is_dense(const Dims4& shape, const Dims4& strides) {
  int64_t inner = 1;
  for (int d = 3; d >= 0; inner *= shape[d], --d) {
    if (shape[d] > 1 && strides[d] != inner) return false;
  }
  return true;
}

// Whether every line of the last dimension consists of whole, aligned pieces of N values.
template <int N, class T>
bool in_pieces(const T* data, const Dims4& shape, const Dims4& strides) {
  bool whole =
      reinterpret_cast<uintptr_t>(data) % (N * sizeof(T)) == 0 && shape[3] % N == 0 && strides[3] == 1;
  for (int d = 0; d < 3; ++d) whole = whole && strides[d] % N == 0;
  return whole;
}

}  // namespace

template <class Y, class X>
void copy_strided(Stream stream, Y* y, const X* x, const Dims4& shape, const Dims4& y_strides,
                  const Dims4& x_strides) {
  constexpr int N = kPiece<Y, X>;
  const int64_t n = shape[0] * shape[1] * shape[2] * shape[3];
  if (n == 0) return;  // nothing to copy
  if (!std::is_same_v<Y, X> && is_dense(shape, y_strides) && is_dense(shape, x_strides)) {
    return launch(cast_kernel<Y, X>, {blocks_for<N>(n)}, {kBlock}, 0, stream, y, x, n);
  }
  Layout layout;
  std::copy_n(shape.begin(), 4, layout.shape);
  std::copy_n(y_strides.begin(), 4, layout.y);
  std::copy_n(x_strides.begin(), 4, layout.x);
  if (!in_pieces<N>(y, shape, y_strides) || !in_pieces<N>(x, shape, x_strides)) {
    return launch_copy<1>(stream, y, x, layout);
  }
  layout.shape[3] /= N;
  layout.y[3] = layout.x[3] = N;
  launch_copy<N>(stream, y, x, layout);
}

template void copy_strided(Stream, float*, const float*, const Dims4&, const Dims4&, const Dims4&);
template void copy_strided(Stream, bf16*, const bf16*, const Dims4&, const Dims4&, const Dims4&);
template void copy_strided(Stream, bf16*, const float*, const Dims4&, const Dims4&, const Dims4&);
template void copy_strided(Stream, float*, const bf16*, const Dims4&, const Dims4&, const Dims4&);

}  // namespace gpt2::cuda
