// Flash attention forward, bf16 on tensor cores. A block owns a tile of queries of one head and goes through
// the keys up to the diagonal, tile by tile. While it computes with one tile of keys and values, it loads the
// next.
#include "common/kernels/cuda/flash_attention.cuh"

namespace gpt2::cuda {
namespace {

constexpr int kKeys = 64;  // keys per tile

// The number of groups of 16 queries that a warp owns. Each fragment of keys or values that the warp reads is
// multiplied with all of them; reading a fragment from shared memory takes as long as one multiplication.
// With two groups, the registers are full for the smaller head sizes.
template <int hs>
constexpr int kOwned = hs <= 64 ? 2 : 1;
template <int hs>
constexpr int kQueries = 16 * kOwned<hs>* kAttentionWarps;  // queries per block

struct Forward {
  HeadsView<bf16> y;
  float* log_sum_exp;
  HeadsView<const bf16> q, k, v;
  AttentionShape shape;
  bool is_aligned;
};

// Online softmax of the rows that a lane holds. Four lanes share a row. They all know its largest score;
// until finish() each has only its own part of the sum.
template <int m>
struct OnlineRows {
  float scale;  // converts scores to exponents of 2
  float largest[m][2], sum[m][2] = {};

  __device__ explicit OnlineRows(float scale) : scale(scale) {
    for (auto& rows : largest) rows[0] = rows[1] = -INFINITY;
  }

  // Turns scores into 2^(scale * (score - largest)), and rescales y to the new largest score.
  template <int n, int n_y>
  __device__ __forceinline__ void update(Sums<m, n>& scores, Sums<m, n_y>& y) {
#pragma unroll
    for (int i = 0; i < m; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const float before = largest[i][half];
        float now = before;
#pragma unroll
        for (int j = 0; j < n; ++j)
          now = fmaxf(now, fmaxf(scores.at[i][j][2 * half], scores.at[i][j][2 * half + 1]));
        for (int lanes = 1; lanes < 4; lanes *= 2) now = fmaxf(now, __shfl_xor_sync(kAllLanes, now, lanes));
        largest[i][half] = now;
        const float rescale = power_of_two(scale * (before - now));
        sum[i][half] *= rescale;
#pragma unroll
        for (int j = 0; j < n_y; ++j) {
          y.at[i][j][2 * half] *= rescale;
          y.at[i][j][2 * half + 1] *= rescale;
        }
#pragma unroll
        for (int j = 0; j < n; ++j) {
#pragma unroll
          for (int e = 2 * half; e < 2 * half + 2; ++e) {
            scores.at[i][j][e] = power_of_two(fmaf(scores.at[i][j][e], scale, -now * scale));
            sum[i][half] += scores.at[i][j][e];
          }
        }
      }
    }
  }

  // Computes the sums of whole rows in `sum`, and divides y by them.
  template <int n_y>
  __device__ __forceinline__ void finish(Sums<m, n_y>& y) {
#pragma unroll
    for (int i = 0; i < m; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        for (int lanes = 1; lanes < 4; lanes *= 2) {
          sum[i][half] += __shfl_xor_sync(kAllLanes, sum[i][half], lanes);
        }
        const float factor = 1 / sum[i][half];
#pragma unroll
        for (int j = 0; j < n_y; ++j) {
          y.at[i][j][2 * half] *= factor;
          y.at[i][j][2 * half + 1] *= factor;
        }
      }
    }
  }

  // Stores the log-sum-exp of the warp's rows, from row t0 on. Call it after finish.
  __device__ __forceinline__ void store_log_sum_exp(float* to, int64_t t0, int64_t T) const {
    if (lane_col() != 0) return;
    for (int i = 0; i < m; ++i) {
      for (int half = 0; half < 2; ++half) {
        const int64_t t = t0 + 16 * i + 8 * half + lane_row();
        if (t < T) to[t] = (largest[i][half] * scale + log2f(sum[i][half])) / kLog2E;
      }
    }
  }
};

// Masks the keys after each query. offset: the first query minus the first key.
template <int m, int n>
__device__ __forceinline__ void mask_future(Sums<m, n>& scores, int offset) {
#pragma unroll
  for (int i = 0; i < m; ++i) {
#pragma unroll
    for (int j = 0; j < n; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int query = offset + 16 * i + lane_row() + e / 2 * 8, key = 8 * j + lane_col() + e % 2;
        if (key > query) scores.at[i][j][e] = -INFINITY;
      }
    }
  }
}

// Blocks per multiprocessor that the compiler should allow for; 0: its choice. With the smallest heads, nvcc 13.0
// would let in a third block on compute capability 10.0, and keep values in memory for that.
template <int hs>
[[maybe_unused]] constexpr int kBlocks = hs == 32 ? 1 : 0;

template <int hs>
__global__ void __launch_bounds__(kAttentionThreads, kBlocks<hs>) forward_kernel(Forward p) {
  constexpr int m = kOwned<hs>;
  GPU_DYNAMIC_SHARED(bf16, shared);
  const TilePairs<hs, kKeys> keys{shared + kTileSize<hs, kQueries<hs>>};
  const int64_t T = p.shape.T, tiles = ceil_div(T, kQueries<hs>), head = blockIdx.x / tiles;
  const int64_t i0 = (tiles - 1 - blockIdx.x % tiles) * kQueries<hs>;  // the last queries have the most work
  const Head<const bf16> q(p.q, p.shape, head), k(p.k, p.shape, head), v(p.v, p.shape, head);
  start_tile<hs, kQueries<hs>>(shared, q, i0, T, p.is_aligned);
  keys.start(0, k, v, 0, T, p.is_aligned);
  wait_for_copies();
  __syncthreads();

  const int first_row = threadIdx.x / kWarp * 16 * m;  // the warp's first row in the block's tile
  const int64_t warp_i0 = i0 + first_row, end = min(i0 + kQueries<hs>, T);
  bf16* const warp_tile = shared + first_row * kTileStride<hs>;
  const Fragments<m, hs / 16> queries = load_fragments<m, hs>(warp_tile);
  Sums<m, hs / 8> y;
  OnlineRows<m> rows(p.shape.scale * kLog2E);
  for (int64_t j0 = 0, buffer = 0; j0 < end; j0 += kKeys, buffer ^= 1) {
    wait_for_copies();
    __syncthreads();  // this tile is complete, and no thread reads the other one any more
    if (j0 + kKeys < end) keys.start(buffer ^ 1, k, v, j0 + kKeys, T, p.is_aligned);
    if (j0 >= warp_i0 + 16 * m) continue;  // all these keys are after the warp's queries
    Sums<m, kKeys / 8> scores;
    multiply_transposed<hs>(scores, queries, keys.first(buffer));
    if (j0 + kKeys - 1 > warp_i0) mask_future(scores, int(warp_i0 - j0));
    rows.update(scores, y);
    multiply<hs>(y, rounded_fragments(scores), keys.second(buffer));
  }
  rows.finish(y);
  rows.store_log_sum_exp(p.log_sum_exp + head * T, warp_i0, T);
  store_rows<hs, m>(Head<bf16>(p.y, p.shape, head), y, 1, warp_tile, warp_i0, T, p.is_aligned);
}

template <int hs>
void launch_forward(Stream stream, const Forward& p) {
  const int64_t blocks = p.shape.B * p.shape.heads * ceil_div(p.shape.T, kQueries<hs>);
  const size_t shared_bytes = (kTileSize<hs, kQueries<hs>> + TilePairs<hs, kKeys>::kSize) * sizeof(bf16);
  launch(forward_kernel<hs>, blocks, kAttentionThreads, shared_bytes, stream, p);
}

}  // namespace

bool flash_attention_supports(int64_t hs) {
  return for_head_size(hs, [](auto) {});
}

template <class T>
void flash_attention_forward(Stream stream, HeadsView<T> y, float* log_sum_exp, HeadsView<const T> q,
                             HeadsView<const T> k, HeadsView<const T> v, const AttentionShape& shape) {
  if constexpr (std::is_same_v<T, float>) {
    flash_attention_forward_float(stream, y, log_sum_exp, q, k, v, shape);
  } else {
    const bool aligned = is_aligned(y) && is_aligned(q) && is_aligned(k) && is_aligned(v);
    for_head_size(shape.hs, [&](auto hs) {
      launch_forward<int(hs)>(stream, {y, log_sum_exp, q, k, v, shape, aligned});
    });
  }
}

template void flash_attention_forward(Stream, HeadsView<float>, float*, HeadsView<const float>,
                                      HeadsView<const float>, HeadsView<const float>, const AttentionShape&);
template void flash_attention_forward(Stream, HeadsView<bf16>, float*, HeadsView<const bf16>,
                                      HeadsView<const bf16>, HeadsView<const bf16>, const AttentionShape&);

}  // namespace gpt2::cuda
