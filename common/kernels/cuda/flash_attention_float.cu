// Flash attention in float. It uses tiles like the bf16 kernels, but plain multiplications and additions,
// because tensor cores would round the factors. A block has 16 x 16 threads. In a product of tiles, each
// thread sums every 16th row and every 16th column of the result in registers.
#include "common/kernels/cuda/flash_attention.cuh"

namespace gpt2::cuda {
namespace {

constexpr int kSide = 16, kThreads = kSide * kSide;

// Rows of n floats, with a gap of one float: values of 32 rows in the same column lie in different banks.
template <int n>
constexpr int kStride = n + 1;

// Shared memory of the backward pass: q, dy, k, v and two tiles of scores.
template <int hs, int tile>
constexpr int kSharedBytes = (4 * tile * kStride<hs> + 2 * tile * kStride<tile>)*int(sizeof(float));

// Number of queries, or of keys, in a tile. GPUs before Ampere have 64 KB of shared memory, so they take half of it for
// some head sizes.
template <int hs>
constexpr int kLargeTile = hs <= 64 ? 64 : 32;
template <int hs>
constexpr int kSmallTile = kSharedBytes<hs, kLargeTile<hs>> <= 64 << 10 ? kLargeTile<hs> : kLargeTile<hs> / 2;

__device__ __forceinline__ int thread_row() { return threadIdx.x / kSide; }
__device__ __forceinline__ int thread_col() { return threadIdx.x % kSide; }

// A factor in shared memory, with any memory order.
struct Factor {
  const float* data;
  int row_stride, col_stride;

  __device__ __forceinline__ float operator()(int row, int col) const {
    return data[row * row_stride + col * col_stride];
  }
};
template <int n>
__device__ __forceinline__ Factor plain(const float* tile) {
  return {tile, kStride<n>, 1};
}
template <int n>
__device__ __forceinline__ Factor transposed(const float* tile) {
  return {tile, 1, kStride<n>};
}

// A thread's part of a tile: at[r][c] is row thread_row() + 16 r, column thread_col() + 16 c.
template <int rows, int cols>
struct Part {
  float at[rows / kSide][cols / kSide] = {};

  // += a (rows x depth) b (depth x cols)
  __device__ __forceinline__ void add_product(const Factor& a, const Factor& b, int depth) {
    for (int k = 0; k < depth; ++k) {
      float left[rows / kSide];
#pragma unroll
      for (int r = 0; r < rows / kSide; ++r) left[r] = a(thread_row() + kSide * r, k);
#pragma unroll
      for (int c = 0; c < cols / kSide; ++c) {
        const float right = b(k, thread_col() + kSide * c);
#pragma unroll
        for (int r = 0; r < rows / kSide; ++r) at[r][c] += left[r] * right;
      }
    }
  }
  __device__ __forceinline__ void put(float* tile) const {
    for (int r = 0; r < rows / kSide; ++r) {
      for (int c = 0; c < cols / kSide; ++c) {
        tile[(thread_row() + kSide * r) * kStride<cols> + thread_col() + kSide * c] = at[r][c];
      }
    }
  }
  __device__ __forceinline__ void store(const Head<float>& head, int64_t t0, int64_t T, float factor) const {
    for (int r = 0; r < rows / kSide; ++r) {
      const int64_t t = t0 + thread_row() + kSide * r;
      if (t >= T) break;
      for (int c = 0; c < cols / kSide; ++c) {
        head.data[t * head.row_stride + thread_col() + kSide * c] = at[r][c] * factor;
      }
    }
  }
};

template <int hs, int rows>
__device__ __forceinline__ void load_tile(float* tile, const Head<const float>& head, int64_t t0, int64_t T) {
  for (int i = threadIdx.x; i < rows * hs; i += kThreads) {
    const int row = i / hs, col = i % hs;
    tile[row * kStride<hs> + col] = t0 + row < T ? head.data[(t0 + row) * head.row_stride + col] : 0;
  }
}

// Sums and maxima over a row of a Part. The 16 threads that share a row are neighbours in a warp.
__device__ __forceinline__ float row_sum(float value) {
  for (int lanes = 1; lanes < kSide; lanes *= 2) value += __shfl_xor_sync(kAllLanes, value, lanes);
  return value;
}
__device__ __forceinline__ float row_max(float value) {
  for (int lanes = 1; lanes < kSide; lanes *= 2)
    value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, lanes));
  return value;
}

struct Forward {
  HeadsView<float> y;
  float* log_sum_exp;
  HeadsView<const float> q, k, v;
  AttentionShape shape;
};

// One step of online softmax for each row; the scores become exp(score - largest).
template <int tile, int hs>
__device__ __forceinline__ void online_softmax(Part<tile, tile>& scores, Part<tile, hs>& y,
                                               float (&largest)[tile / kSide], float (&sum)[tile / kSide],
                                               float scale, bool is_diagonal) {
  for (int r = 0; r < tile / kSide; ++r) {
    float now = largest[r], terms = 0;
    for (int c = 0; c < tile / kSide; ++c) {
      const bool hidden = is_diagonal && thread_col() + kSide * c > thread_row() + kSide * r;
      scores.at[r][c] = hidden ? -INFINITY : scores.at[r][c] * scale;
      now = fmaxf(now, scores.at[r][c]);
    }
    now = row_max(now);
    for (int c = 0; c < tile / kSide; ++c) {
      scores.at[r][c] = expf(scores.at[r][c] - now);
      terms += scores.at[r][c];
    }
    const float rescale = expf(largest[r] - now);
    largest[r] = now;
    sum[r] = sum[r] * rescale + row_sum(terms);
    for (int c = 0; c < hs / kSide; ++c) y.at[r][c] *= rescale;
  }
}

template <int hs, int tile>
__global__ void __launch_bounds__(kThreads, 2) forward_kernel(Forward p) {
  GPU_DYNAMIC_SHARED(float, shared);
  float *const q = shared, *const k = q + tile * kStride<hs>, *const v = k + tile * kStride<hs>;
  float* const probabilities = v + tile * kStride<hs>;
  const int64_t T = p.shape.T, tiles = ceil_div(T, tile), head = blockIdx.x / tiles;
  const int64_t i0 = (tiles - 1 - blockIdx.x % tiles) * tile;  // the last queries have the most work
  load_tile<hs, tile>(q, Head<const float>(p.q, p.shape, head), i0, T);
  Part<tile, hs> y;
  float largest[tile / kSide], sum[tile / kSide] = {};
  for (float& row : largest) row = -INFINITY;

  for (int64_t j0 = 0; j0 <= i0; j0 += tile) {
    load_tile<hs, tile>(k, Head<const float>(p.k, p.shape, head), j0, T);
    load_tile<hs, tile>(v, Head<const float>(p.v, p.shape, head), j0, T);
    __syncthreads();
    Part<tile, tile> scores;
    scores.add_product(plain<hs>(q), transposed<hs>(k), hs);
    online_softmax(scores, y, largest, sum, p.shape.scale, j0 == i0);
    scores.put(probabilities);
    __syncthreads();
    y.add_product(plain<tile>(probabilities), plain<hs>(v), tile);
    __syncthreads();  // now the tiles may be overwritten
  }

  for (int r = 0; r < tile / kSide; ++r) {
    const int64_t t = i0 + thread_row() + kSide * r;
    for (int c = 0; c < hs / kSide; ++c) y.at[r][c] /= sum[r];
    if (thread_col() == 0 && t < T) p.log_sum_exp[head * T + t] = largest[r] + logf(sum[r]);
  }
  y.store(Head<float>(p.y, p.shape, head), i0, T, 1);
}

struct Backward {
  HeadsView<float> dq, dk, dv;
  HeadsView<const float> dy, q, k, v;
  const RowStatistics* rows;
  AttentionShape shape;
};

// The first part of both backward kernels, for a tile of queries and a tile of keys: the probability and the
// gradient of the score of each (query, key) pair.
template <int hs, int tile>
struct Pairs {
  static constexpr int size = tile * kStride<hs>;
  float *q, *dy, *k, *v, *p, *ds;

  __device__ explicit Pairs(float* shared)
      : q(shared), dy(q + size), k(dy + size), v(k + size), p(v + size), ds(p + tile * kStride<tile>) {}

  __device__ __forceinline__ void load_queries(const Backward& b, int64_t head, int64_t i0) const {
    load_tile<hs, tile>(q, Head<const float>(b.q, b.shape, head), i0, b.shape.T);
    load_tile<hs, tile>(dy, Head<const float>(b.dy, b.shape, head), i0, b.shape.T);
  }
  __device__ __forceinline__ void load_keys(const Backward& b, int64_t head, int64_t j0) const {
    load_tile<hs, tile>(k, Head<const float>(b.k, b.shape, head), j0, b.shape.T);
    load_tile<hs, tile>(v, Head<const float>(b.v, b.shape, head), j0, b.shape.T);
  }

  // p = exp(score - log_sum_exp), or 0 if the key is after the query; ds = p * (dp - dy_y). `rows`: the
  // statistics of the queries.
  __device__ __forceinline__ void compute(const RowStatistics* rows, float scale, bool is_diagonal) const {
    Part<tile, tile> scores, dp;
    scores.add_product(plain<hs>(q), transposed<hs>(k), hs);
    dp.add_product(plain<hs>(dy), transposed<hs>(v), hs);
    for (int r = 0; r < tile / kSide; ++r) {
      const RowStatistics row = rows[thread_row() + kSide * r];
      for (int c = 0; c < tile / kSide; ++c) {
        const bool hidden = is_diagonal && thread_col() + kSide * c > thread_row() + kSide * r;
        scores.at[r][c] = hidden ? 0 : exp2f(scores.at[r][c] * (scale * kLog2E) - row.log_sum_exp);
        dp.at[r][c] = scores.at[r][c] * (dp.at[r][c] - row.dy_y);
      }
    }
    scores.put(p);
    dp.put(ds);
  }
};

template <int hs, int tile>
__global__ void __launch_bounds__(kThreads, 2) backward_keys_kernel(Backward p) {
  GPU_DYNAMIC_SHARED(float, shared);
  const Pairs<hs, tile> pairs(shared);
  const int64_t T = p.shape.T, tiles = ceil_div(T, tile);
  const int64_t head = blockIdx.x / tiles, j0 = blockIdx.x % tiles * tile;  // first keys have the most work
  pairs.load_keys(p, head, j0);
  Part<tile, hs> dk, dv;
  for (int64_t i0 = j0; i0 < T; i0 += tile) {
    pairs.load_queries(p, head, i0);
    __syncthreads();
    pairs.compute(p.rows + head * padded_rows(T) + i0, p.shape.scale, i0 == j0);
    __syncthreads();
    dv.add_product(transposed<tile>(pairs.p), plain<hs>(pairs.dy), tile);
    dk.add_product(transposed<tile>(pairs.ds), plain<hs>(pairs.q), tile);
    __syncthreads();  // now the tiles may be overwritten
  }
  dk.store(Head<float>(p.dk, p.shape, head), j0, T, p.shape.scale);
  dv.store(Head<float>(p.dv, p.shape, head), j0, T, 1);
}

template <int hs, int tile>
__global__ void __launch_bounds__(kThreads, 2) backward_queries_kernel(Backward p) {
  GPU_DYNAMIC_SHARED(float, shared);
  const Pairs<hs, tile> pairs(shared);
  const int64_t T = p.shape.T, tiles = ceil_div(T, tile), head = blockIdx.x / tiles;
  const int64_t i0 = (tiles - 1 - blockIdx.x % tiles) * tile;  // the last queries have the most work
  pairs.load_queries(p, head, i0);
  Part<tile, hs> dq;
  for (int64_t j0 = 0; j0 <= i0; j0 += tile) {
    pairs.load_keys(p, head, j0);
    __syncthreads();
    pairs.compute(p.rows + head * padded_rows(T) + i0, p.shape.scale, i0 == j0);
    __syncthreads();
    dq.add_product(plain<tile>(pairs.ds), plain<hs>(pairs.k), tile);
    __syncthreads();  // now the tiles may be overwritten
  }
  dq.store(Head<float>(p.dq, p.shape, head), i0, T, p.shape.scale);
}

// Calls body(tile) with the tile size that this GPU has the shared memory for.
template <int hs, class Body>
void with_tile(Stream stream, const Body& body) {
  int available = 0;
  CUDA_CHECK(
      cudaDeviceGetAttribute(&available, cudaDevAttrMaxSharedMemoryPerBlockOptin, stream.device.index));
  if (available >= kSharedBytes<hs, kLargeTile<hs>>)
    body(std::integral_constant<int, kLargeTile<hs>>());
  else
    body(std::integral_constant<int, kSmallTile<hs>>());
}

template <int hs>
void launch_forward(Stream stream, const Forward& p) {
  with_tile<hs>(stream, [&](auto rows) {
    constexpr int tile = rows;
    const int64_t blocks = p.shape.B * p.shape.heads * ceil_div(p.shape.T, tile);
    const size_t shared_bytes = (3 * tile * kStride<hs> + tile * kStride<tile>)*sizeof(float);
    launch(forward_kernel<hs, tile>, blocks, kThreads, shared_bytes, stream, p);
  });
}

template <int hs>
void launch_backward(Stream stream, const Backward& p) {
  with_tile<hs>(stream, [&](auto rows) {
    constexpr int tile = rows;
    const int64_t blocks = p.shape.B * p.shape.heads * ceil_div(p.shape.T, tile);
    launch(backward_keys_kernel<hs, tile>, blocks, kThreads, kSharedBytes<hs, tile>, stream, p);
    launch(backward_queries_kernel<hs, tile>, blocks, kThreads, kSharedBytes<hs, tile>, stream, p);
  });
}

}  // namespace

void flash_attention_forward_float(Stream stream, HeadsView<float> y, float* log_sum_exp,
                                   HeadsView<const float> q, HeadsView<const float> k,
                                   HeadsView<const float> v, const AttentionShape& shape) {
  for_head_size(shape.hs, [&](auto hs) {
    launch_forward<int(hs)>(stream, {y, log_sum_exp, q, k, v, shape});
  });
}

void flash_attention_backward_float(Stream stream, HeadsView<float> dq, HeadsView<float> dk,
                                    HeadsView<float> dv, HeadsView<const float> dy, const RowStatistics* rows,
                                    HeadsView<const float> q, HeadsView<const float> k,
                                    HeadsView<const float> v, const AttentionShape& shape) {
  for_head_size(shape.hs, [&](auto hs) {
    launch_backward<int(hs)>(stream, {dq, dk, dv, dy, q, k, v, rows, shape});
  });
}

}  // namespace gpt2::cuda
