#include "common/kernels/flash_attention.h"

#include <omp.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "common/kernels/cpu/parallel.h"
#include "common/kernels/cpu/tile_product.h"
#include "common/kernels/cpu/vector_math.h"

// A tile of scores is stored as S^T: one row per key, with the 64 queries side by side. So the values of a
// query (largest score, sum, log-sum-exp) are one lane of the vectors, and no sum across the lanes of a
// vector is needed. Tiles are float for every T, and so small that the first-level cache holds both factors
// and the result of a product.

namespace gpt2::cpu {
namespace {

constexpr int64_t kTile = 64;  // number of queries, or of keys, in a tile

// exp(x) = 2^(x log2 e). Scores are scaled by log2 e, because powers of 2 are cheaper.
constexpr float kLog2E = 1.44269504f;

// ---- reading and writing tiles

int64_t padded(int64_t T) { return (T + kTile - 1) / kTile * kTile; }
int64_t rows_at(int64_t t0, int64_t T) { return std::min(kTile, T - t0); }  // rows of the tile at t0

// Rounds up, because multiply() computes whole groups of kProductRows rows.
int64_t whole_rows(int64_t rows) { return (rows + kProductRows - 1) / kProductRows * kProductRows; }

// One head of one sequence: row t begins at data + t * stride.
template <class T>
struct Head {
  T* data;
  int64_t stride;

  Head(const HeadsView<T>& heads, int64_t b, int64_t h)
      : data(heads.data + b * heads.batch_stride + h * heads.head_stride), stride(heads.row_stride) {}
};

template <int64_t n>
void clear(Row<n>* rows, int64_t count) {
  std::fill_n(rows[0], count * n, 0.0f);
}

// Loads `rows` rows from row t0 on as floats, times factor; sets the rest of the tile to 0.
template <int64_t hs, class T>
void load(Row<hs>* to, const Head<const T>& head, int64_t t0, int64_t rows, float factor = 1) {
  for (int64_t i = 0; i < rows; ++i) {
    const T* from = head.data + (t0 + i) * head.stride;
#pragma omp simd
    for (int64_t c = 0; c < hs; ++c) to[i][c] = factor * float(from[c]);
  }
  clear(to + rows, kTile - rows);
}

template <int64_t hs, class T>
void store(const Head<T>& head, const Row<hs>* from, int64_t t0, int64_t rows, float factor) {
  for (int64_t i = 0; i < rows; ++i) {
    T* to = head.data + (t0 + i) * head.stride;
#pragma omp simd
    for (int64_t c = 0; c < hs; ++c) to[c] = factor * from[i][c];
  }
}

// Exchanges bit kBit of the row number with the same bit of the lane number. Done for every bit, this is a
// transposition.
template <int kBit, int... lane>
void exchange(Vector (&rows)[kVectorSize], std::integer_sequence<int, lane...>) {
  for (int r = 0; r < kVectorSize; ++r) {
    if (r & kBit) continue;
    const Vector low = rows[r], high = rows[r + kBit];
    rows[r] = __builtin_shufflevector(low, high, ((lane & kBit) ? kVectorSize + lane - kBit : lane)...);
    rows[r + kBit] =
        __builtin_shufflevector(low, high, ((lane & kBit) ? kVectorSize + lane : lane + kBit)...);
  }
}

// to[c][i] = from[i][c], kVectorSize x kVectorSize values at a time. One value at a time, it would take as long
// as a product.
template <int64_t hs>
void transpose(Row<kTile>* to, const Row<hs>* from) {
  constexpr auto lanes = std::make_integer_sequence<int, kVectorSize>();
  for (int64_t i0 = 0; i0 < kTile; i0 += kVectorSize) {
    for (int64_t c0 = 0; c0 < hs; c0 += kVectorSize) {
      Vector block[kVectorSize];
      for (int64_t i = 0; i < kVectorSize; ++i) block[i] = reinterpret_cast<const Vector&>(from[i0 + i][c0]);
      exchange<1>(block, lanes);
      exchange<2>(block, lanes);
      if constexpr (kVectorSize == 16) {
        exchange<4>(block, lanes);
        exchange<8>(block, lanes);
      }
      for (int64_t c = 0; c < kVectorSize; ++c) reinterpret_cast<Vector&>(to[c0 + c][i0]) = block[c];
    }
  }
}

// ---- softmax of a tile

// In a tile on the diagonal, keys and queries have the same positions: key j is hidden from the queries
// before it.
void mask_diagonal(Row<kTile>* scores, int64_t keys) {
  for (int64_t j = 1; j < keys; ++j) std::fill_n(scores[j], j, -std::numeric_limits<float>::infinity());
}

struct alignas(Vector) OnlineSums {
  float largest[kTile], sum[kTile];  // per query: the largest score so far, the sum of 2^(score - largest)
  float rescale[kTile];              // the factor by which the last update multiplied sum

  OnlineSums() {
    std::fill_n(largest, kTile, -std::numeric_limits<float>::infinity());
    std::fill_n(sum, kTile, 0.0f);
  }

  // Turns a tile of scores into 2^(score - largest).
  void update(Row<kTile>* scores, int64_t keys) {
    float before[kTile];
    std::copy_n(largest, kTile, before);
    for (int64_t j = 0; j < keys; ++j) {
#pragma omp simd
      for (int64_t i = 0; i < kTile; ++i) largest[i] = std::max(largest[i], scores[j][i]);
    }
#pragma omp simd
    for (int64_t i = 0; i < kTile; ++i) {
      rescale[i] = vector_exp2(before[i] - largest[i]);
      sum[i] *= rescale[i];
    }
    for (int64_t j = 0; j < keys; ++j) {
#pragma omp simd
      for (int64_t i = 0; i < kTile; ++i) {
        scores[j][i] = vector_exp2(scores[j][i] - largest[i]);
        sum[i] += scores[j][i];
      }
    }
  }
};

// ---- forward

// Number of query tiles that go through the keys together, so that keys and values are read once for all of
// them.
constexpr int64_t kTogether = 4;

template <int64_t hs>
struct alignas(Vector) ForwardQueries {
  float q_t[hs][kTile], y[kTile][hs];
  OnlineSums online;

  template <class T>
  void start(const Head<const T>& q, int64_t i0, const AttentionShape& shape) {
    load<hs>(y, q, i0, rows_at(i0, shape.T), shape.scale * kLog2E);
    transpose<hs>(q_t, y);
    clear(y, kTile);
    online = {};
  }
  template <class T>
  void finish(const Head<T>& to, float* log_sum_exp, int64_t i0, int64_t T_) {
    for (int64_t i = 0; i < rows_at(i0, T_); ++i) {
      const float factor = 1 / online.sum[i];
      for (int64_t c = 0; c < hs; ++c) y[i][c] *= factor;
      log_sum_exp[i0 + i] = (online.largest[i] + std::log2(online.sum[i])) / kLog2E;
    }
    store<hs>(to, y, i0, rows_at(i0, T_), 1);
  }
};

template <int64_t hs>
struct alignas(Vector) ForwardTiles {
  ForwardQueries<hs> queries[kTogether];
  float k[kTile][hs], v[kTile][hs], p[kTile][kTile];  // p[j][i]: key j, query i
};

template <bool kDiagonal, int64_t hs>
void forward_tile(ForwardQueries<hs>& queries, ForwardTiles<hs>& t, int64_t keys) {
  multiply<false, kDiagonal ? Skip::c_below_diagonal : Skip::nothing>(t.p, plain<hs>(t.k), queries.q_t, keys,
                                                                      hs);
  if (kDiagonal) mask_diagonal(t.p, keys);
  queries.online.update(t.p, keys);
  for (int64_t i = 0; i < kTile; ++i) {
#pragma omp simd
    for (int64_t c = 0; c < hs; ++c) queries.y[i][c] *= queries.online.rescale[i];
  }
  multiply<true, kDiagonal ? Skip::a_above_diagonal : Skip::nothing>(queries.y, transposed<kTile>(t.p), t.v,
                                                                     kTile, keys);
}

// Computes kTogether tiles of queries, beginning with query `first`.
template <int64_t hs, class T>
void forward_tiles(const Head<T>& y, float* log_sum_exp, const Head<const T>& q, const Head<const T>& k,
                   const Head<const T>& v, int64_t first, const AttentionShape& shape) {
  ForwardTiles<hs> t;
  const int64_t end = std::min(first + kTogether * kTile, shape.T);
  const auto of = [&](int64_t i0) -> auto& { return t.queries[(i0 - first) / kTile]; };
  for (int64_t i0 = first; i0 < end; i0 += kTile) of(i0).start(q, i0, shape);
  for (int64_t j0 = 0; j0 < end; j0 += kTile) {
    const int64_t keys = rows_at(j0, shape.T);
    load<hs>(t.k, k, j0, keys);
    load<hs>(t.v, v, j0, keys);
    if (j0 >= first) forward_tile<true>(of(j0), t, whole_rows(keys));
    for (int64_t i0 = std::max(first, j0 + kTile); i0 < end; i0 += kTile)
      forward_tile<false>(of(i0), t, kTile);
  }
  for (int64_t i0 = first; i0 < end; i0 += kTile) of(i0).finish(y, log_sum_exp, i0, shape.T);
}

// ---- backward

// All keys and values of a head and the sums of their gradients; each tile of queries adds to the sums.
template <int64_t hs>
struct KeyRows {
  Row<hs>*k, *v, *dk, *dv;

  KeyRows(float* workspace, int64_t rows)
      : k(reinterpret_cast<Row<hs>*>(workspace)), v(k + rows), dk(v + rows), dv(dk + rows) {}
};

template <int64_t hs>
struct alignas(Vector) BackwardTiles {
  float q[kTile][hs], q_t[hs][kTile], dy[kTile][hs], dy_t[hs][kTile], dq[kTile][hs];
  float p[kTile][kTile], ds[kTile][kTile];  // [j][i]: key j, query i
  float log_sum_exp[kTile], dy_y[kTile];    // of each query; dy_y: sum of dy * y over the head
};

// On entry t.p holds the scores and t.ds the gradients dp of the probabilities. Afterwards t.p holds the
// probabilities p and t.ds the gradients of the scores: ds = p * (dp - dy_y), because the sum over j of p_j
// dp_j equals the sum over c of dy_c y_c.
template <int64_t hs>
void softmax_gradient(BackwardTiles<hs>& t, int64_t keys) {
  for (int64_t j = 0; j < keys; ++j) {
#pragma omp simd
    for (int64_t i = 0; i < kTile; ++i) {
      t.p[j][i] = vector_exp2(t.p[j][i] - t.log_sum_exp[i]);
      t.ds[j][i] = t.p[j][i] * (t.ds[j][i] - t.dy_y[i]);
    }
  }
}

template <int64_t hs, class T>
void load_queries(BackwardTiles<hs>& t, const Head<const T>& dy, const Head<const T>& y,
                  const float* log_sum_exp, const Head<const T>& q, int64_t i0, const AttentionShape& shape) {
  const int64_t queries = rows_at(i0, shape.T);
  load<hs>(t.q, q, i0, queries, shape.scale * kLog2E);
  load<hs>(t.dy, dy, i0, queries);
  load<hs>(t.dq, y, i0, queries);  // dq holds y until dy_y is computed
  for (int64_t i = 0; i < kTile; ++i) {
    t.dy_y[i] = sum(shape.hs, [&](int64_t c) { return t.dy[i][c] * t.dq[i][c]; });
    t.log_sum_exp[i] = i < queries ? log_sum_exp[i0 + i] * kLog2E : 0;
  }
  transpose<hs>(t.q_t, t.q);
  transpose<hs>(t.dy_t, t.dy);
  clear(t.dq, kTile);
}

// kDiagonal: keys and queries have the same positions.
template <bool kDiagonal, int64_t hs>
void backward_tile(BackwardTiles<hs>& t, const KeyRows<hs>& rows, int64_t j0, int64_t keys) {
  constexpr Skip later_queries = kDiagonal ? Skip::c_below_diagonal : Skip::nothing;
  multiply<false, later_queries>(t.p, plain<hs>(rows.k + j0), t.q_t, keys, hs);
  multiply<false, later_queries>(t.ds, plain<hs>(rows.v + j0), t.dy_t, keys, hs);
  if (kDiagonal) mask_diagonal(t.p, keys);
  softmax_gradient(t, keys);
  constexpr Skip hidden_queries = kDiagonal ? Skip::a_below_diagonal : Skip::nothing;
  multiply<true, hidden_queries>(rows.dv + j0, plain<kTile>(t.p), t.dy, keys, kTile);
  multiply<true, hidden_queries>(rows.dk + j0, plain<kTile>(t.ds), t.q, keys, kTile);
  constexpr Skip hidden_keys = kDiagonal ? Skip::a_above_diagonal : Skip::nothing;
  multiply<true, hidden_keys>(t.dq, transposed<kTile>(t.ds), rows.k + j0, kTile, keys);
}

template <class T>
struct BackwardHeads {
  Head<T> dq, dk, dv;
  Head<const T> dy, y, q, k, v;
  const float* log_sum_exp;
};

template <int64_t hs, class T>
void backward_head(const BackwardHeads<T>& head, float* workspace, const AttentionShape& shape) {
  BackwardTiles<hs> tiles;
  const KeyRows<hs> rows(workspace, padded(shape.T));
  for (int64_t j0 = 0; j0 < shape.T; j0 += kTile) {
    load<hs>(rows.k + j0, head.k, j0, rows_at(j0, shape.T));
    load<hs>(rows.v + j0, head.v, j0, rows_at(j0, shape.T));
  }
  clear(rows.dk, padded(shape.T));
  clear(rows.dv, padded(shape.T));
  for (int64_t i0 = 0; i0 < shape.T; i0 += kTile) {
    load_queries(tiles, head.dy, head.y, head.log_sum_exp, head.q, i0, shape);
    for (int64_t j0 = 0; j0 < i0; j0 += kTile) backward_tile<false>(tiles, rows, j0, kTile);
    backward_tile<true>(tiles, rows, i0, whole_rows(rows_at(i0, shape.T)));
    store<hs>(head.dq, tiles.dq, i0, rows_at(i0, shape.T), shape.scale);
  }
  for (int64_t j0 = 0; j0 < shape.T; j0 += kTile) {
    store<hs>(head.dk, rows.dk + j0, j0, rows_at(j0, shape.T), 1 / kLog2E);
    store<hs>(head.dv, rows.dv + j0, j0, rows_at(j0, shape.T), 1);
  }
}

// Number of threads in the backward pass. Each has its own workspace and computes one head at a time.
int64_t backward_threads(const AttentionShape& shape) {
  return std::min<int64_t>(omp_get_max_threads(), shape.B * shape.heads);
}

}  // namespace

bool flash_attention_supports(int64_t hs) {
  return for_head_size(hs, [](auto) {});
}

// Groups of queries are independent. The last groups have the most keys, so they start first.
template <class T>
void flash_attention_forward(Stream, HeadsView<T> y, float* log_sum_exp, HeadsView<const T> q,
                             HeadsView<const T> k, HeadsView<const T> v, const AttentionShape& shape) {
  const int64_t together = kTogether * kTile, groups = (shape.T + together - 1) / together;
  const int64_t heads = shape.B * shape.heads;
  for_head_size(shape.hs, [&](auto size) {
#pragma omp parallel for collapse(2) schedule(dynamic)
    for (int64_t group = groups - 1; group >= 0; --group) {
      for (int64_t head = 0; head < heads; ++head) {
        const int64_t b = head / shape.heads, h = head % shape.heads;
        forward_tiles<size, T>(Head(y, b, h), log_sum_exp + head * shape.T, Head(q, b, h), Head(k, b, h),
                               Head(v, b, h), group * together, shape);
      }
    }
  });
}

int64_t flash_attention_workspace(const AttentionShape& shape) {
  return backward_threads(shape) * 4 * padded(shape.T) * shape.hs;
}

// Heads are independent. Within a head the tiles run one after another, because they add to the same sums.
template <class T>
void flash_attention_backward(Stream, HeadsView<T> dq, HeadsView<T> dk, HeadsView<T> dv,
                              HeadsView<const T> dy, HeadsView<const T> y, const float* log_sum_exp,
                              HeadsView<const T> q, HeadsView<const T> k, HeadsView<const T> v,
                              float* workspace, const AttentionShape& shape) {
  const int64_t heads = shape.B * shape.heads;
  for_head_size(shape.hs, [&](auto size) {
#pragma omp parallel for schedule(dynamic) num_threads(int(backward_threads(shape)))
    for (int64_t head = 0; head < heads; ++head) {
      const int64_t b = head / shape.heads, h = head % shape.heads;
      float* of_thread = workspace + omp_get_thread_num() * 4 * padded(shape.T) * shape.hs;
      backward_head<size, T>({Head(dq, b, h), Head(dk, b, h), Head(dv, b, h), Head(dy, b, h), Head(y, b, h),
                              Head(q, b, h), Head(k, b, h), Head(v, b, h), log_sum_exp + head * shape.T},
                             of_thread, shape);
    }
  });
}

#define GPT2_INSTANTIATE(T)                                                                                  \
  template void flash_attention_forward(Stream, HeadsView<T>, float*, HeadsView<const T>,                    \
                                        HeadsView<const T>, HeadsView<const T>, const AttentionShape&);      \
  template void flash_attention_backward(Stream, HeadsView<T>, HeadsView<T>, HeadsView<T>,                   \
                                         HeadsView<const T>, HeadsView<const T>, const float*,               \
                                         HeadsView<const T>, HeadsView<const T>, HeadsView<const T>, float*, \
                                         const AttentionShape&);
GPT2_INSTANTIATE(float)
GPT2_INSTANTIATE(bf16)
#undef GPT2_INSTANTIATE

}  // namespace gpt2::cpu
