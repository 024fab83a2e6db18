// Flash attention backward, bf16 on tensor cores, without atomic additions. In one kernel a block owns a tile
// of keys and sums dk and dv over the queries; in another a block owns a tile of queries and sums dq over the
// keys. Both compute the probabilities again. This needs seven products; five would be enough if blocks added
// to the sums of other blocks. But in this way the same input gives the same bits.
#include "common/kernels/cuda/flash_attention.cuh"

namespace gpt2::cuda {
namespace {

constexpr int kOwned = 16 * kAttentionWarps;  // keys or queries whose gradients a block sums
static_assert(kOwned == kRowsOfTile);

// Number of rows in the tiles that a block goes through; two tiles are in shared memory at a time. For large
// heads no more rows fit into the 99 KB of smaller GPUs.
template <int hs>
constexpr int kStreamed = hs <= 80 ? 64 : 32;

// The number of these rows whose scores are in registers at the same time, together with the sums of the
// gradients.
constexpr int kAtOnce = 32;

// Blocks per multiprocessor that the compiler should allow for. With GPT-2's head size three fit if it is
// told so: while one block waits, the others compute. GPUs with 100 KB of shared memory have room for one.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ != 800 && __CUDA_ARCH__ / 100 != 9 && __CUDA_ARCH__ / 100 != 10
constexpr int kMostBlocks = 1;
#else
constexpr int kMostBlocks = 3;
#endif
template <int hs>
[[maybe_unused]] constexpr int kBlocks = hs <= 64 ? kMostBlocks : 1;

struct Backward {
  HeadsView<bf16> dq, dk, dv;
  HeadsView<const bf16> dy, q, k, v;
  const RowStatistics* rows;
  AttentionShape shape;
  bool is_aligned;
};

// The owned rows as left factors: in registers if they fit, so that they are not read again for every tile.
template <int hs>
__device__ __forceinline__ auto owned_fragments(const bf16* rows) {
  if constexpr (hs <= 64) {
    return load_fragments<1, hs>(rows);
  } else {
    return SharedFragments<hs>{rows};
  }
}

// ---- dk and dv

// Rows are keys, columns are queries: p = 2^(scale * score - log_sum_exp), or 0 if the key is after the
// query, and ds = p * (dp - dy_y). offset: the first key minus the first query.
template <int n>
__device__ __forceinline__ void softmax_gradient_of_keys(Sums<1, n>& scores, Sums<1, n>& dp, float scale,
                                                         const RowStatistics* rows, int offset) {
  const bool is_diagonal = offset + 15 > 0;
#pragma unroll
  for (int j = 0; j < n; ++j) {
    const Packed<RowStatistics> pair = load_packed(rows + 8 * j + lane_col());
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const RowStatistics& query = pair[e % 2];
      float p = power_of_two(fmaf(scores.at[0][j][e], scale, -query.log_sum_exp));
      if (is_diagonal && offset + lane_row() + e / 2 * 8 > 8 * j + lane_col() + e % 2) p = 0;
      scores.at[0][j][e] = p;
      dp.at[0][j][e] = p * (dp.at[0][j][e] - query.dy_y);
    }
  }
}

// Tiles of the queries and of dy, with the statistics of their rows.
template <int hs>
struct QueryTiles {
  static constexpr int kRows = kStreamed<hs>, kStatistics = kRows * sizeof(RowStatistics) / sizeof(bf16);
  static constexpr int kSize = TilePairs<hs, kRows>::kSize + 2 * kStatistics;
  TilePairs<hs, kRows> tiles;

  __device__ __forceinline__ RowStatistics* rows(int buffer) const {
    bf16* behind_tiles = tiles.shared + tiles.kSize;
    return reinterpret_cast<RowStatistics*>(behind_tiles + buffer * kStatistics);
  }
  __device__ __forceinline__ void start(int buffer, const Backward& p, int64_t head, int64_t i0) const {
    const int64_t T = p.shape.T;
    const Head<const bf16> q(p.q, p.shape, head), dy(p.dy, p.shape, head);
    tiles.start(buffer, q, dy, i0, T, p.is_aligned);
    if (threadIdx.x < kRows / 2) {  // the statistics of two rows are 16 bytes
      const RowStatistics* from = p.rows + head * padded_rows(T) + i0 + 2 * threadIdx.x;
      start_copy_16_bytes(rows(buffer) + 2 * threadIdx.x, from, true);
    }
  }
};

template <int hs>
__global__ void __launch_bounds__(kAttentionThreads, kBlocks<hs>) backward_keys_kernel(Backward p) {
  GPU_DYNAMIC_SHARED(bf16, shared);
  bf16 *const k_tile = shared, *const v_tile = k_tile + kTileSize<hs, kOwned>;
  const QueryTiles<hs> queries{{v_tile + kTileSize<hs, kOwned>}};
  const int64_t T = p.shape.T, tiles = ceil_div(T, kOwned), head = blockIdx.x / tiles;
  const int64_t j0 = blockIdx.x % tiles * kOwned;  // the first keys have the most work
  start_tile<hs, kOwned>(k_tile, Head<const bf16>(p.k, p.shape, head), j0, T, p.is_aligned);
  start_tile<hs, kOwned>(v_tile, Head<const bf16>(p.v, p.shape, head), j0, T, p.is_aligned);
  queries.start(0, p, head, j0);
  wait_for_copies();
  __syncthreads();

  const int first_row = threadIdx.x / kWarp * 16;  // the warp's first row in the block's tile
  bf16 *const k_rows = k_tile + first_row * kTileStride<hs>, *const v_rows =
                                                                 v_tile + first_row * kTileStride<hs>;
  const auto k = owned_fragments<hs>(k_rows);
  const SharedFragments<hs> v{v_rows};  // k, dk and dv leave no registers for v
  const int64_t warp_j0 = j0 + first_row;
  Sums<1, hs / 8> dk, dv;
  for (int64_t i0 = j0, buffer = 0; i0 < T; i0 += kStreamed<hs>, buffer ^= 1) {
    wait_for_copies();
    __syncthreads();  // this tile is complete, and no thread reads the other one any more
    if (i0 + kStreamed<hs> < T) queries.start(buffer ^ 1, p, head, i0 + kStreamed<hs>);
    for (int first = 0; first < kStreamed<hs>; first += kAtOnce) {
      const int offset = int(warp_j0 - i0) - first;  // from the first query to the first key
      if (offset >= kAtOnce) continue;               // all of these queries are before the warp's keys
      const bf16* q = queries.tiles.first(buffer) + first * kTileStride<hs>;
      const bf16* dy = queries.tiles.second(buffer) + first * kTileStride<hs>;
      Sums<1, kAtOnce / 8> scores, dp;
      multiply_transposed<hs>(scores, k, q);
      multiply_transposed<hs>(dp, v, dy);
      softmax_gradient_of_keys(scores, dp, p.shape.scale * kLog2E, queries.rows(buffer) + first, offset);
      multiply<hs>(dv, rounded_fragments(scores), dy);
      multiply<hs>(dk, rounded_fragments(dp), q);
    }
  }
  store_rows<hs, 1>(Head<bf16>(p.dk, p.shape, head), dk, p.shape.scale, k_rows, warp_j0, T, p.is_aligned);
  store_rows<hs, 1>(Head<bf16>(p.dv, p.shape, head), dv, 1, v_rows, warp_j0, T, p.is_aligned);
}

// ---- dq

// The same with queries as rows and keys as columns. `rows`: the statistics of the queries lane_row() and
// lane_row() + 8. offset: the first query minus the first key.
template <int n>
__device__ __forceinline__ void softmax_gradient_of_queries(const Sums<1, n>& scores, Sums<1, n>& dp,
                                                            float scale, const RowStatistics (&rows)[2],
                                                            int offset) {
  const bool is_diagonal = 8 * n - 1 > offset;
#pragma unroll
  for (int j = 0; j < n; ++j) {
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const RowStatistics& query = rows[e / 2];
      float p = power_of_two(fmaf(scores.at[0][j][e], scale, -query.log_sum_exp));
      if (is_diagonal && 8 * j + lane_col() + e % 2 > offset + lane_row() + e / 2 * 8) p = 0;
      dp.at[0][j][e] = p * (dp.at[0][j][e] - query.dy_y);
    }
  }
}

template <int hs>
__global__ void __launch_bounds__(kAttentionThreads, kBlocks<hs>) backward_queries_kernel(Backward p) {
  GPU_DYNAMIC_SHARED(bf16, shared);
  bf16 *const q_tile = shared, *const dy_tile = q_tile + kTileSize<hs, kOwned>;
  const TilePairs<hs, kStreamed<hs>> keys{dy_tile + kTileSize<hs, kOwned>};
  const int64_t T = p.shape.T, tiles = ceil_div(T, kOwned), head = blockIdx.x / tiles;
  const int64_t i0 = (tiles - 1 - blockIdx.x % tiles) * kOwned;  // the last queries have the most work
  const Head<const bf16> k_head(p.k, p.shape, head), v_head(p.v, p.shape, head);
  start_tile<hs, kOwned>(q_tile, Head<const bf16>(p.q, p.shape, head), i0, T, p.is_aligned);
  start_tile<hs, kOwned>(dy_tile, Head<const bf16>(p.dy, p.shape, head), i0, T, p.is_aligned);
  keys.start(0, k_head, v_head, 0, T, p.is_aligned);
  wait_for_copies();
  __syncthreads();

  const int first_row = threadIdx.x / kWarp * 16;  // the warp's first row in the block's tile
  bf16* const q_rows = q_tile + first_row * kTileStride<hs>;
  const auto q = owned_fragments<hs>(q_rows), dy = owned_fragments<hs>(dy_tile + first_row * kTileStride<hs>);
  const int64_t end = min(i0 + kOwned, T), warp_i0 = i0 + first_row;
  const RowStatistics* const statistics = p.rows + head * padded_rows(T) + warp_i0 + lane_row();
  const RowStatistics rows[2] = {statistics[0], statistics[8]};
  Sums<1, hs / 8> dq;
  for (int64_t j0 = 0, buffer = 0; j0 < end; j0 += kStreamed<hs>, buffer ^= 1) {
    wait_for_copies();
    __syncthreads();  // this tile is complete, and no thread reads the other one any more
    if (j0 + kStreamed<hs> < end) keys.start(buffer ^ 1, k_head, v_head, j0 + kStreamed<hs>, T, p.is_aligned);
    for (int first = 0; first < kStreamed<hs>; first += kAtOnce) {
      const int offset = int(warp_i0 - j0) - first;  // from the first key to the first query
      if (offset <= -16) break;                      // all of these keys are after the warp's queries
      const bf16* k = keys.first(buffer) + first * kTileStride<hs>;
      Sums<1, kAtOnce / 8> scores, dp;
      multiply_transposed<hs>(scores, q, k);
      multiply_transposed<hs>(dp, dy, keys.second(buffer) + first * kTileStride<hs>);
      softmax_gradient_of_queries(scores, dp, p.shape.scale * kLog2E, rows, offset);
      multiply<hs>(dq, rounded_fragments(dp), k);
    }
  }
  store_rows<hs, 1>(Head<bf16>(p.dq, p.shape, head), dq, p.shape.scale, q_rows, warp_i0, T, p.is_aligned);
}

// ---- statistics of rows

// Eight lanes per row.
template <class T>
__global__ void row_statistics_kernel(RowStatistics* rows, const float* log_sum_exp,
                                      HeadsView<const T> dy_heads, HeadsView<const T> y_heads,
                                      AttentionShape shape) {
  const int64_t rows_of_head = padded_rows(shape.T), blocks_of_head = rows_of_head * 8 / blockDim.x;
  const int64_t head = blockIdx.x / blocks_of_head;
  const int64_t row = (blockIdx.x % blocks_of_head * blockDim.x + threadIdx.x) / 8;
  const Head<const T> dy(dy_heads, shape, head), y(y_heads, shape, head);
  float sum = 0;
  if (row < shape.T) {
    for (int64_t first = threadIdx.x % 8 * kPiece<T>; first < shape.hs; first += 8 * kPiece<T>) {
      const auto a = load_piece(dy.data + row * dy.row_stride, first, shape.hs);
      const auto b = load_piece(y.data + row * y.row_stride, first, shape.hs);
      for (int i = 0; i < kPiece<T>; ++i) sum += a[i] * b[i];
    }
  }
  for (int lanes = 1; lanes < 8; lanes *= 2) sum += __shfl_xor_sync(kAllLanes, sum, lanes);
  if (threadIdx.x % 8 != 0) return;
  const float log_sum = row < shape.T ? log_sum_exp[head * shape.T + row] * kLog2E : 0;
  rows[head * rows_of_head + row] = {log_sum, sum};
}

template <int hs>
void launch_backward(Stream stream, const Backward& p) {
  const int64_t blocks = p.shape.B * p.shape.heads * ceil_div(p.shape.T, kOwned);
  constexpr int kOwnedSize = kTileSize<hs, 2 * kOwned>, kKeysSize = TilePairs<hs, kStreamed<hs>>::kSize;
  launch(backward_keys_kernel<hs>, blocks, kAttentionThreads,
         (kOwnedSize + QueryTiles<hs>::kSize) * sizeof(bf16), stream, p);
  launch(backward_queries_kernel<hs>, blocks, kAttentionThreads, (kOwnedSize + kKeysSize) * sizeof(bf16),
         stream, p);
}

}  // namespace

int64_t flash_attention_workspace(const AttentionShape& shape) {
  return shape.B * shape.heads * padded_rows(shape.T) * int64_t(sizeof(RowStatistics) / sizeof(float));
}

template <class T>
void flash_attention_backward(Stream stream, HeadsView<T> dq, HeadsView<T> dk, HeadsView<T> dv,
                              HeadsView<const T> dy, HeadsView<const T> y, const float* log_sum_exp,
                              HeadsView<const T> q, HeadsView<const T> k, HeadsView<const T> v,
                              float* workspace, const AttentionShape& shape) {
  auto* rows = reinterpret_cast<RowStatistics*>(workspace);
  launch(row_statistics_kernel<T>, shape.B * shape.heads * padded_rows(shape.T) * 8 / kBlock, kBlock, 0,
         stream, rows, log_sum_exp, dy, y, shape);
  if constexpr (std::is_same_v<T, float>) {
    flash_attention_backward_float(stream, dq, dk, dv, dy, rows, q, k, v, shape);
  } else {
    const bool aligned = is_aligned(dq) && is_aligned(dk) && is_aligned(dv) && is_aligned(dy) &&
                         is_aligned(q) && is_aligned(k) && is_aligned(v);
    for_head_size(shape.hs, [&](auto hs) {
      launch_backward<int(hs)>(stream, {dq, dk, dv, dy, q, k, v, rows, shape, aligned});
    });
  }
}

template void flash_attention_backward(Stream, HeadsView<float>, HeadsView<float>, HeadsView<float>,
                                       HeadsView<const float>, HeadsView<const float>, const float*,
                                       HeadsView<const float>, HeadsView<const float>, HeadsView<const float>,
                                       float*, const AttentionShape&);
template void flash_attention_backward(Stream, HeadsView<bf16>, HeadsView<bf16>, HeadsView<bf16>,
                                       HeadsView<const bf16>, HeadsView<const bf16>, const float*,
                                       HeadsView<const bf16>, HeadsView<const bf16>, HeadsView<const bf16>,
                                       float*, const AttentionShape&);

}  // namespace gpt2::cuda
