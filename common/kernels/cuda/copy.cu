#include "common/kernels/copy.h"

#include <algorithm>

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

// std::array's operators are host functions.
struct Layout {
  int64_t shape[4], y[4], x[4];  // shape[3] and the strides of dimension 3 count what a thread copies
};

// T is what a thread copies: a float, or four of them. Threads in x go through the two inner dimensions, so one
// division each finds their place; blocks in y and z go through the outer ones. Neighbouring threads write
// neighbours of the last dimension: where x runs the other way (a transposed matrix), reads are 4 bytes a line.
template <class T>
__global__ void copy_strided_kernel(T* y, const T* x, Layout layout) {
  const int64_t i = blockIdx.x * int64_t{blockDim.x} + threadIdx.x;
  const int64_t i2 = i / layout.shape[3], i3 = i % layout.shape[3];
  if (i2 >= layout.shape[2]) return;
  for (int64_t i0 = blockIdx.z; i0 < layout.shape[0]; i0 += gridDim.z) {
    for (int64_t i1 = blockIdx.y; i1 < layout.shape[1]; i1 += gridDim.y) {
      y[i0 * layout.y[0] + i1 * layout.y[1] + i2 * layout.y[2] + i3 * layout.y[3]] =
          x[i0 * layout.x[0] + i1 * layout.x[1] + i2 * layout.x[2] + i3 * layout.x[3]];
    }
  }
}

template <class T>
void launch_copy(Stream stream, float* y, const float* x, const Layout& layout) {
  const auto& shape = layout.shape;
  launch(
      copy_strided_kernel<T>,
      {ceil_div(shape[2] * shape[3], kBlock), std::min(shape[1], kMaxGridY), std::min(shape[0], kMaxGridY)},
      {kBlock}, 0, stream, reinterpret_cast<T*>(y), reinterpret_cast<const T*>(x), layout);
}

bool is_aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % sizeof(float4) == 0; }

// Whether every line of the last dimension is whole, aligned pieces on both sides.
bool in_pieces(const float* y, const float* x, const Dims4& shape, const Dims4& y_strides,
               const Dims4& x_strides) {
  bool whole =
      is_aligned(y) && is_aligned(x) && shape[3] % kFloats == 0 && y_strides[3] == 1 && x_strides[3] == 1;
  for (int d = 0; d < 3; ++d) whole = whole && y_strides[d] % kFloats == 0 && x_strides[d] % kFloats == 0;
  return whole;
}

}  // namespace

void copy_strided(Stream stream, float* y, const float* x, const Dims4& shape, const Dims4& y_strides,
                  const Dims4& x_strides) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return;  // nothing to copy
  Layout layout;
  std::copy_n(shape.begin(), 4, layout.shape);
  std::copy_n(y_strides.begin(), 4, layout.y);
  std::copy_n(x_strides.begin(), 4, layout.x);
  if (!in_pieces(y, x, shape, y_strides, x_strides)) return launch_copy<float>(stream, y, x, layout);
  layout.shape[3] /= kFloats;
  for (int d = 0; d < 3; ++d) layout.y[d] /= kFloats, layout.x[d] /= kFloats;
  launch_copy<float4>(stream, y, x, layout);
}

}  // namespace gpt2::cuda
