#include "common/kernels/causal_softmax.h"

#include "common/kernels/cuda/online_sum.cuh"

namespace gpt2::cuda {
namespace {

// One warp per row. It reads the visible part twice; this is at most a few KB, so the second pass reads it
// from the multiprocessor's cache. Blocks in x are the matrices, blocks in y their rows, the longest first.
constexpr int kWarps = 8;
constexpr int kLoadsAtOnce = 4;

// A warp's row of a (matrices, positions, positions) array.
template <class T>
struct CausalRow {
  static constexpr int N = kPiece<T>;
  static constexpr int kStride = kWarp * N;  // from one piece of a lane to the next

  int64_t row, start, visible;  // row in its matrix, offset of its first value, number of visible values

  __device__ explicit CausalRow(int64_t positions)
      : row(positions - 1 - (blockIdx.y * int64_t{kWarps} + threadIdx.x / kWarp)),
        start((blockIdx.x * positions + row) * positions),
        visible(row + 1) {}

  // The index of the first value of this lane's first piece; pieces are aligned in the memory of `data`.
  __device__ int64_t first(const T* data) const {
    return first_aligned<N>(data + start) + threadIdx.x % kWarp * N;
  }
};

template <class T>
__global__ void causal_softmax_forward_kernel(T* y, const T* x, float scale, int64_t positions) {
  using Row = CausalRow<T>;
  const Row at(positions);
  if (at.row < 0) return;  // the whole warp returns
  const int64_t begin = at.first(x);
  x += at.start;
  y += at.start;
  OnlineSum online;
  for (int64_t first = begin; first < at.visible; first += kLoadsAtOnce * Row::kStride) {
    Values<T, Row::N> pieces[kLoadsAtOnce];
    for (int i = 0; i < kLoadsAtOnce; ++i) {
      pieces[i] = load_piece(x, first + i * Row::kStride, at.visible, -INFINITY);
    }
    for (int i = 0; i < kLoadsAtOnce && first + i * Row::kStride < at.visible; ++i) {
      Piece<Row::N> piece = pieces[i];
      for (float& value : piece.values) value *= scale;
      online.add(piece);
    }
  }
  const OnlineSum row = online.of_warp();
  const float factor = 1 / row.sum;
  for (int64_t first = begin; first < positions; first += Row::kStride) {
    Piece<Row::N> piece{};
    if (first < at.visible) {
      piece = load_piece(x, first, at.visible);
      for (int k = 0; k < Row::N; ++k) {
        piece[k] = first + k < at.visible ? expf(piece[k] * scale - row.largest) * factor : 0;
      }
    }
    store_piece(y, first, positions, piece);
  }
}

template <class T>
__global__ void causal_softmax_backward_kernel(T* dx, const T* y, const T* dy, float scale,
                                               int64_t positions) {
  using Row = CausalRow<T>;
  const Row at(positions);
  if (at.row < 0) return;  // the whole warp returns
  const int64_t begin = at.first(y);
  dx += at.start;
  y += at.start;
  dy += at.start;
  float dot = 0;
  for (int64_t first = begin; first < at.visible; first += kLoadsAtOnce * Row::kStride) {
    Values<T, Row::N> out[kLoadsAtOnce], gradient[kLoadsAtOnce];
    for (int i = 0; i < kLoadsAtOnce; ++i) {
      out[i] = load_piece(y, first + i * Row::kStride, at.visible);
      gradient[i] = load_piece(dy, first + i * Row::kStride, at.visible);
    }
    for (int i = 0; i < kLoadsAtOnce; ++i) {
      for (int k = 0; k < Row::N; ++k) dot += out[i][k] * gradient[i][k];
    }
  }
  dot = warp_sum(dot);
  for (int64_t first = begin; first < positions; first += Row::kStride) {
    Piece<Row::N> piece{};
    if (first < at.visible) {
      const Values<T, Row::N> out = load_piece(y, first, at.visible);
      const Values<T, Row::N> gradient = load_piece(dy, first, at.visible);
      for (int k = 0; k < Row::N; ++k) {
        piece[k] = first + k < at.visible ? scale * out[k] * (gradient[k] - dot) : 0;
      }
    }
    store_piece(dx, first, positions, piece);
  }
}

}  // namespace

template <class T>
void causal_softmax_forward(Stream stream, T* y, const T* x, float scale, int64_t matrices,
                            int64_t positions) {
  launch(causal_softmax_forward_kernel<T>, {matrices, ceil_div(positions, kWarps)}, {kWarps * kWarp}, 0,
         stream, y, x, scale, positions);
}

template <class T>
void causal_softmax_backward(Stream stream, T* dx, const T* y, const T* dy, float scale, int64_t matrices,
                             int64_t positions) {
  launch(causal_softmax_backward_kernel<T>, {matrices, ceil_div(positions, kWarps)}, {kWarps * kWarp}, 0,
         stream, dx, y, dy, scale, positions);
}

template void causal_softmax_forward(Stream, float*, const float*, float, int64_t, int64_t);
template void causal_softmax_forward(Stream, bf16*, const bf16*, float, int64_t, int64_t);
template void causal_softmax_backward(Stream, float*, const float*, const float*, float, int64_t, int64_t);
template void causal_softmax_backward(Stream, bf16*, const bf16*, const bf16*, float, int64_t, int64_t);

}  // namespace gpt2::cuda
