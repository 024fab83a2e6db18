// The backward pass of layer_norm.cu and add_layer_norm.cu: all gradients in one reading of dy and x.
//
// A block goes through a chunk of the rows, one row for each of its warps at a time. First each warp computes dx of
// its row; all reductions are shuffles. It leaves dy, x_hat and the branch's gradient in shared memory. Then the
// threads turn from rows to columns: each adds its columns of these rows to the block's sums, which are in shared
// memory, too. At the end the sums become a row of a small matrix, with one row for each block. A second launch adds
// these rows in order, without atomics: the same input gives the same bits.
//
// since 04_overfit
#pragma once

#include <type_traits>

#include "common/kernels/cuda/column_sums.cuh"
#include "common/kernels/cuda/warp_rows.cuh"

namespace gpt2::cuda {

template <class X, class Y>
struct LayerNormBackward {
  X* dx;                                    // (rows, C), like dbranch, dy, dsum and x
  Y* dbranch;                               // null, or where dx goes as Y
  float *dweights, *dbiases, *branch_sums;  // (blocks, C) each; branch_sums may be null
  const Y* dy;
  const X* dsum;  // null, or what is added to dx
  const X *x, *weight;
  const float *mean, *rstd;
  int64_t rows;
  int C;
};

// What a warp leaves in shared memory for the column sums. branch may be null.
template <class Y>
struct KeptRow {
  float* x_hat;
  Y *dy, *branch;
};

// The shared memory of a block: three rows of sums, and a KeptRow for each warp.
template <class Y>
struct LayerNormShared {
  int64_t stride, sums, row;  // in floats: a row of floats, all sums, the rows of one warp

  __host__ __device__ LayerNormShared(int64_t C, bool branch)
      : stride(padded(C)),
        sums((branch ? 3 : 2) * stride),
        row(stride + ceil_div((branch ? 2 : 1) * stride * int64_t{sizeof(Y)}, 16) * 4) {}

  __device__ KeptRow<Y> row_of(float* shared, int warp, bool branch) const {
    float* x_hat = shared + sums + warp * row;
    Y* dy = reinterpret_cast<Y*>(x_hat + stride);
    return {x_hat, dy, branch ? dy + stride : nullptr};
  }
};

// The piece at column `first` of a row of C; `whole` if all pieces of all rows are whole and aligned.
template <bool whole, class T>
__device__ Values<T, kFloats> load_columns(const T* row, int first, int C) {
  if constexpr (whole) {
    return load_whole<kFloats>(row + first);
  } else {
    return load_piece<kFloats>(row, first, C);
  }
}

template <bool whole, class T>
__device__ void store_columns(T* row, int first, int C, const Piece<kFloats>& piece) {
  if constexpr (whole) {
    store_whole_piece(row + first, piece);
  } else {
    store_piece(row, first, C, piece);
  }
}

// The means over the row of g and g x_hat, with g = dy * weight. Keeps dy and x_hat.
struct GradientMeans {
  float g, g_x_hat;
};

template <bool whole, class X, class Y>
__device__ GradientMeans read_row(const LayerNormBackward<X, Y>& p, int64_t row, const KeptRow<Y>& kept) {
  const float mean = p.mean[row], rstd = p.rstd[row];
  const Y* dy = p.dy + row * p.C;
  const X* x = p.x + row * p.C;
  GradientMeans sums{0, 0};
  for (int first = first_of_lane(); first < p.C; first += kLoadsAtOnce * kLaneStride) {
    Values<X, kFloats> in[kLoadsAtOnce];
    Values<Y, kFloats> out[kLoadsAtOnce];
    for (int i = 0; i < kLoadsAtOnce && first + i * kLaneStride < p.C; ++i) {
      in[i] = load_columns<whole>(x, first + i * kLaneStride, p.C);
      out[i] = load_columns<whole>(dy, first + i * kLaneStride, p.C);
    }
    for (int i = 0; i < kLoadsAtOnce && first + i * kLaneStride < p.C; ++i) {
      const int at = first + i * kLaneStride;
      const Piece<kFloats> weight = load_columns<whole>(p.weight, at, p.C);
      Piece<kFloats> x_hat;
      for (int k = 0; k < kFloats; ++k) {
        x_hat[k] = (in[i][k] - mean) * rstd;
        const float g = out[i][k] * weight[k];
        sums.g += g;
        sums.g_x_hat += g * x_hat[k];
      }
      store_whole(kept.x_hat + at, rounded<float>(x_hat));
      store_whole(kept.dy + at, out[i]);
    }
  }
  return {warp_sum(sums.g) / p.C, warp_sum(sums.g_x_hat) / p.C};
}

// dx = dsum + rstd * (g - mean(g) - x_hat * mean(g * x_hat))
template <bool whole, class X, class Y>
__device__ void write_row(const LayerNormBackward<X, Y>& p, int64_t row, const GradientMeans& means,
                          const KeptRow<Y>& kept) {
  const float rstd = p.rstd[row];
  for (int first = first_of_lane(); first < p.C; first += kLoadsAtOnce * kLaneStride) {
    Piece<kFloats> dx[kLoadsAtOnce];
    for (int i = 0; i < kLoadsAtOnce && first + i * kLaneStride < p.C; ++i) {
      dx[i] = {};
      if (p.dsum) dx[i] = load_columns<whole>(p.dsum + row * p.C, first + i * kLaneStride, p.C);
    }
    for (int i = 0; i < kLoadsAtOnce && first + i * kLaneStride < p.C; ++i) {
      const int at = first + i * kLaneStride;
      const Piece<kFloats> weight = load_columns<whole>(p.weight, at, p.C);
      const Values<float, kFloats> x_hat = load_whole<kFloats>(kept.x_hat + at);
      const Values<Y, kFloats> dy = load_whole<kFloats>(kept.dy + at);
      for (int k = 0; k < kFloats; ++k) {
        dx[i][k] += rstd * (dy[k] * weight[k] - means.g - x_hat[k] * means.g_x_hat);
      }
      store_columns<whole>(p.dx + row * p.C, at, p.C, dx[i]);
      if (p.dbranch) store_columns<whole>(p.dbranch + row * p.C, at, p.C, dx[i]);
      if (kept.branch) store_whole(kept.branch + at, rounded<Y>(dx[i]));
    }
  }
}

__device__ inline void add_to(float* sums, const Piece<kFloats>& addend) {
  Piece<kFloats> sum = load_whole<kFloats>(sums);
  for (int k = 0; k < kFloats; ++k) sum[k] += addend[k];
  store_whole(sums, rounded<float>(sum));
}

// Adds the kept rows of `count` warps to the sums of this thread's columns.
template <class Y>
__device__ void add_columns(float* shared, const LayerNormShared<Y>& layout, bool branch, int count, int C) {
  for (int first = threadIdx.x * kFloats; first < C; first += blockDim.x * kFloats) {
    Piece<kFloats> dweight{}, dbias{}, of_branch{};
    for (int warp = 0; warp < count; ++warp) {
      const KeptRow<Y> row = layout.row_of(shared, warp, branch);
      const Values<float, kFloats> x_hat = load_whole<kFloats>(row.x_hat + first);
      const Values<Y, kFloats> dy = load_whole<kFloats>(row.dy + first);
      Values<Y, kFloats> dbranch{};
      if (branch) dbranch = load_whole<kFloats>(row.branch + first);
      for (int k = 0; k < kFloats; ++k) {
        dweight[k] += dy[k] * x_hat[k];
        dbias[k] += dy[k];
        of_branch[k] += dbranch[k];
      }
    }
    add_to(shared + first, dweight);
    add_to(shared + layout.stride + first, dbias);
    if (branch) add_to(shared + 2 * layout.stride + first, of_branch);
  }
}

template <class X, class Y, bool whole>
__global__ void layer_norm_backward_kernel(LayerNormBackward<X, Y> p) {
  GPU_DYNAMIC_SHARED(float, shared);
  const bool branch = p.branch_sums != nullptr;
  const LayerNormShared<Y> layout(p.C, branch);
  const int warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  const KeptRow<Y> kept = layout.row_of(shared, warp, branch);
  for (int i = threadIdx.x; i < layout.sums; i += blockDim.x) shared[i] = 0;
  __syncthreads();
  const int64_t of_block = ceil_div(p.rows, gridDim.x), end = min((blockIdx.x + 1) * of_block, p.rows);
  for (int64_t row = blockIdx.x * of_block; row < end; row += warps) {
    if (row + warp < end) {
      const GradientMeans means = read_row<whole>(p, row + warp, kept);
      write_row<whole>(p, row + warp, means, kept);
    }
    __syncthreads();
    add_columns(shared, layout, branch, int(min(end - row, int64_t{warps})), p.C);
    __syncthreads();  // before the next rows
  }
  float* const results[] = {p.dweights, p.dbiases, p.branch_sums};
  for (int i = 0; i < (branch ? 3 : 2); ++i) {
    float* to = results[i] + blockIdx.x * int64_t{p.C};
    for (int j = threadIdx.x; j < p.C; j += blockDim.x) to[j] = shared[i * layout.stride + j];
  }
}

// dweight = beta_w * dweight + the sum of the rows of dweights, and the same for the bias.
template <class X>
__global__ void add_partial_sums_kernel(X* dweight, X* dbias, const float* dweights, const float* dbiases,
                                        int64_t blocks, int64_t C, float beta_w, float beta_b) {
  constexpr int kLoads = 16;  // few blocks, so each must have many loads in flight
  const bool bias = blockIdx.z == 1;
  const ColumnChunk chunk(blocks);
  store_column_sums(bias ? dbias : dweight, sum_of_columns<kLoads>(chunk, bias ? dbiases : dweights, C),
                    chunk.first, C, bias ? beta_b : beta_w);
}

// 512 blocks are about four per multiprocessor of a large GPU. A block has at least 16 rows, four for each warp.
inline int64_t layer_norm_blocks(int64_t rows) { return std::clamp<int64_t>(ceil_div(rows, 16), 1, 512); }

template <class X, class Y>
void launch_layer_norm_backward(Stream stream, const LayerNormBackward<X, Y>& p, X* dweight, X* dbias,
                                float beta_w, float beta_b) {
  constexpr int64_t kMostWarps = 4;  // more blocks hide a block's barriers better than more warps
  const LayerNormShared<Y> layout(p.C, p.branch_sums != nullptr);
  const int64_t blocks = layer_norm_blocks(p.rows), bytes = sizeof(float),
                left = int64_t{kSharedBytesByDefault} - layout.sums * bytes,
                warps = std::clamp<int64_t>(left / (layout.row * bytes), 1, kMostWarps);
  bool whole = p.C % kFloats == 0;
  for (const void* pointer : {static_cast<const void*>(p.dx), static_cast<const void*>(p.dbranch),
                              static_cast<const void*>(p.dy), static_cast<const void*>(p.dsum),
                              static_cast<const void*>(p.x), static_cast<const void*>(p.weight)}) {
    whole = whole && reinterpret_cast<uintptr_t>(pointer) % 16 == 0;
  }
  launch(whole ? layer_norm_backward_kernel<X, Y, true> : layer_norm_backward_kernel<X, Y, false>, {blocks},
         {warps * kWarp}, (layout.sums + warps * layout.row) * bytes, stream, p);
  launch(add_partial_sums_kernel<X>, {ceil_div(p.C, kColumns), 1, 2}, {kColumnWarps * kWarp}, 0, stream,
         dweight, dbias, p.dweights, p.dbiases, blocks, p.C, beta_w, beta_b);
}

}  // namespace gpt2::cuda
