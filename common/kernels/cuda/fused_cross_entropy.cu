#include "common/kernels/fused_cross_entropy.h"

#include <type_traits>

#include "common/kernels/cuda/mean.h"
#include "common/kernels/cuda/mma.cuh"
#include "common/kernels/cuda/online_sum.cuh"

namespace gpt2::cuda {
namespace {

constexpr int kMaxThreads = 512;
constexpr int kLoadsAtOnce = 4;
constexpr float kLog2E = 1.44269504f;

// A row of Vp logits, of which V count, in pieces of 16 bytes. If all rows are aligned (those of 50304), every
// piece is whole: one instruction, without a test. Columns of a row are 32-bit.
template <class T, bool aligned>
struct Row {
  static constexpr int N = kPiece<T>;
  T* at;
  int V, Vp, begin;  // the first piece begins at column `begin`, 0 to -(N - 1)

  __device__ Row(T* row, int columns, int padded_columns)
      : at(row), V(columns), Vp(padded_columns), begin(aligned ? 0 : int(first_aligned<N>(row))) {}

  // -infinity in place of columns outside the vocabulary.
  __device__ Values<std::remove_const_t<T>, N> load(int first) const {
    if constexpr (!aligned) {
      return load_piece<N>(at, first, V, -INFINITY);
    } else {
      if (first + N <= V) return load_whole<N>(at + first);
      return load_piece<N>(at, first, first < V ? V : 0, -INFINITY);
    }
  }
  __device__ void store(int first, const Piece<N>& piece) const {
    if constexpr (!aligned) {
      store_piece(at, first, Vp, piece);
    } else {
      store_whole_piece(at + first, piece);
    }
  }
};

template <class Row>
__device__ OnlineSum sum_of(const Row& row) {
  const int stride = blockDim.x * Row::N;
  OnlineSum online;
  for (int first = row.begin + threadIdx.x * Row::N; first < row.V; first += kLoadsAtOnce * stride) {
    decltype(row.load(0)) pieces[kLoadsAtOnce];
    for (int i = 0; i < kLoadsAtOnce; ++i) pieces[i] = row.load(first + i * stride);
    for (int i = 0; i < kLoadsAtOnce && first + i * stride < row.V; ++i) {
      online.add(Piece<Row::N>(pieces[i]));
    }
  }
  return online.of_block();
}

// Overwrites the row with (softmax - [column = target]) / rows. It begins at the end of the row, which was read
// last and is still in the first-level cache. A softmax divided by `rows` is one power of two,
// 2^((x - largest) log2(e) - offset), because the logarithms of sum and rows are in the offset.
template <class Row>
__device__ void write_gradient(const Row& row, float largest, float offset, int target, float one) {
  const int stride = blockDim.x * Row::N, pieces = (row.Vp - row.begin + stride - 1) / stride;
  for (int first = row.begin + (pieces - 1) * stride + threadIdx.x * Row::N; first > -Row::N;
       first -= stride) {
    if (first >= row.Vp) continue;
    Piece<Row::N> piece = row.load(first);
    for (int k = 0; k < Row::N; ++k) {
      const float probability = power_of_two((piece[k] - largest) * kLog2E - offset);
      piece[k] = probability - (first + k == target ? one : 0);
    }
    for (int k = 0; k < Row::N && first + Row::N > row.V; ++k) {
      if (first + k >= row.V) piece[k] = 0;  // the padding, even if the row holds a NaN
    }
    row.store(first, piece);
  }
}

// One block per row. It reads the row once from memory, because the logits are the largest tensor of the model:
// four loads are in flight before the first value is used. If T is not const, it writes the gradient over them.
template <class T, bool aligned>
__global__ void fused_cross_entropy_kernel(float* losses, T* logits, const int32_t* targets, int V, int Vp) {
  const int target = targets[blockIdx.x];
  const Row<T, aligned> row(logits + blockIdx.x * int64_t{Vp}, V, Vp);
  const float of_target = row.at[target];
  const OnlineSum all = sum_of(row);  // with a barrier: all threads have read of_target
  if (threadIdx.x == 0) losses[blockIdx.x] = logf(all.sum) - (of_target - all.largest);
  if constexpr (!std::is_const_v<T>) {
    const float rows = gridDim.x;
    write_gradient(row, all.largest, log2f(all.sum) + log2f(rows), target, 1 / rows);
  }
}

template <class T>
void cross_entropy(Stream stream, float* loss, float* losses, T* logits, const int32_t* targets, int64_t rows,
                   int64_t V, int64_t Vp) {
  constexpr int N = kPiece<T>;
  const bool aligned = Vp % N == 0 && reinterpret_cast<uintptr_t>(logits) % 16 == 0;
  const auto kernel = aligned ? fused_cross_entropy_kernel<T, true> : fused_cross_entropy_kernel<T, false>;
  launch(kernel, {rows}, {threads_for_row<N>(V, kMaxThreads)}, 0, stream, losses, logits, targets, V, Vp);
  mean(stream, loss, losses, rows);
}

}  // namespace

template <class T>
void fused_cross_entropy_forward(Stream stream, float* loss, float* losses, const T* logits,
                                 const int32_t* targets, int64_t rows, int64_t V, int64_t Vp) {
  cross_entropy(stream, loss, losses, logits, targets, rows, V, Vp);
}

template <class T>
void fused_cross_entropy_gradient(Stream stream, float* loss, float* losses, T* logits,
                                  const int32_t* targets, int64_t rows, int64_t V, int64_t Vp) {
  cross_entropy(stream, loss, losses, logits, targets, rows, V, Vp);
}

template void fused_cross_entropy_forward(Stream, float*, float*, const float*, const int32_t*, int64_t,
                                          int64_t, int64_t);
template void fused_cross_entropy_forward(Stream, float*, float*, const bf16*, const int32_t*, int64_t,
                                          int64_t, int64_t);
template void fused_cross_entropy_gradient(Stream, float*, float*, float*, const int32_t*, int64_t, int64_t,
                                           int64_t);
template void fused_cross_entropy_gradient(Stream, float*, float*, bf16*, const int32_t*, int64_t, int64_t,
                                           int64_t);

}  // namespace gpt2::cuda
