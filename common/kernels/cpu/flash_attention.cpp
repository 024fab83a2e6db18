#include "common/kernels/flash_attention.h"

#include <omp.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "common/kernels/cpu/parallel.h"
#include "common/kernels/cpu/vector_math.h"

// A tile of scores lies as S^T: a row for each key, its 64 queries side by side. So what belongs to a query (largest
// score, sum, log-sum-exp) is a lane of the vectors, and no vector is ever added up across. A tile is as many bytes as
// the first-level cache holds of it, its operands and its result: floats, whatever T is.

namespace gpt2::cpu {
namespace {

constexpr int64_t kTile = 64;  // queries, and keys, of a tile

// One row of a product's result is a few vectors of GCC's and clang's, cut to what the processor has.
constexpr int64_t kRows = 4, kLanes = 16;
using Vector __attribute__((vector_size(kLanes * sizeof(float)), may_alias)) = float;

// Rows of n floats, of which a tile is an array.
template <int64_t n>
using Row = float[n];

// ---- products of tiles

// The left factor of a product, whose values are read one by one: any order will do.
struct Factor {
  const float* data;
  int64_t row_stride, col_stride;
};

template <int64_t n>
Factor plain(const Row<n>* rows) {
  return {rows[0], n, 1};
}
template <int64_t n>
Factor transposed(const Row<n>* rows) {
  return {rows[0], 1, n};
}

// The columns of the result that are summed in registers at once, beside kRows rows: there are 32 registers of
// 16 floats with AVX-512, and 16 of 8 without.
constexpr int64_t columns_at_once(int64_t n) {
#ifdef __AVX512F__
  int64_t columns = 80;
#else
  int64_t columns = 16;
#endif
  while (n % columns != 0) columns -= kLanes;
  return columns;
}

// c[i][j] = (kAdd ? c[i][j] : 0) + sum over k of a[i][k] b[k][j], for i < kRows and the j of kVectors vectors.
template <bool kAdd, int64_t kVectors, int64_t n>
void multiply_in_registers(float* c, const Factor& a, const float* b, int64_t depth) {
  Vector sum[kRows][kVectors] = {};
  const float* a_k = a.data;
  for (int64_t k = 0; k < depth; ++k, a_k += a.col_stride, b += n) {
    for (int64_t v = 0; v < kVectors; ++v) {
      const Vector b_k = reinterpret_cast<const Vector*>(b)[v];
      for (int64_t r = 0; r < kRows; ++r) sum[r][v] += a_k[r * a.row_stride] * b_k;
    }
  }
  for (int64_t r = 0; r < kRows; ++r) {
    Vector* row = reinterpret_cast<Vector*>(c + r * n);
    for (int64_t v = 0; v < kVectors; ++v) row[v] = kAdd ? row[v] + sum[r][v] : sum[r][v];
  }
}

// c (rows x n) = a (rows x depth) b (depth x n), or += with kAdd; rows is a multiple of kRows.
template <bool kAdd, int64_t n>
void multiply(Row<n>* c, const Factor& a, const Row<n>* b, int64_t rows, int64_t depth) {
  constexpr int64_t kColumns = columns_at_once(n);
  for (int64_t i = 0; i < rows; i += kRows) {
    const Factor a_i{a.data + i * a.row_stride, a.row_stride, a.col_stride};
    for (int64_t j = 0; j < n; j += kColumns) {
      multiply_in_registers<kAdd, kColumns / kLanes, n>(&c[i][j], a_i, &b[0][j], depth);
    }
  }
}

// ---- reading and writing tiles

int64_t padded(int64_t T) { return (T + kTile - 1) / kTile * kTile; }
int64_t rows_at(int64_t t0, int64_t T) { return std::min(kTile, T - t0); }       // of the tile at t0
int64_t whole_rows(int64_t rows) { return (rows + kRows - 1) / kRows * kRows; }  // that products ask for

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

// `rows` rows from row t0 on, as floats, times factor; the rest of the tile is 0.
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

// Exchanges bit kBit of the row's number with the same bit of the lane's; all four bits: a transposition.
template <int kBit, int... lane>
void exchange(Vector (&rows)[kLanes], std::integer_sequence<int, lane...>) {
  for (int r = 0; r < kLanes; ++r) {
    if (r & kBit) continue;
    const Vector low = rows[r], high = rows[r + kBit];
    rows[r] = __builtin_shufflevector(low, high, ((lane & kBit) ? 16 + lane - kBit : lane)...);
    rows[r + kBit] = __builtin_shufflevector(low, high, ((lane & kBit) ? 16 + lane : lane + kBit)...);
  }
}

// to[c][i] = from[i][c], 16 x 16 values at a time: one by one it would take as long as a product.
template <int64_t hs>
void transpose(Row<kTile>* to, const Row<hs>* from) {
  constexpr auto lanes = std::make_integer_sequence<int, kLanes>();
  for (int64_t i0 = 0; i0 < kTile; i0 += kLanes) {
    for (int64_t c0 = 0; c0 < hs; c0 += kLanes) {
      Vector block[kLanes];
      for (int64_t i = 0; i < kLanes; ++i) block[i] = reinterpret_cast<const Vector&>(from[i0 + i][c0]);
      exchange<1>(block, lanes);
      exchange<2>(block, lanes);
      exchange<4>(block, lanes);
      exchange<8>(block, lanes);
      for (int64_t c = 0; c < kLanes; ++c) reinterpret_cast<Vector&>(to[c0 + c][i0]) = block[c];
    }
  }
}

// ---- softmax of a tile

// Where the tile of keys begins at the tile of queries, key j is hidden from the queries before it.
void mask_diagonal(Row<kTile>* scores, int64_t keys) {
  for (int64_t j = 1; j < keys; ++j) std::fill_n(scores[j], j, -std::numeric_limits<float>::infinity());
}

struct alignas(Vector) OnlineSums {
  float largest[kTile], sum[kTile];  // of each query's scores so far, and of exp(score - largest)
  float rescale[kTile];              // what the last update multiplied sum with

  OnlineSums() {
    std::fill_n(largest, kTile, -std::numeric_limits<float>::infinity());
    std::fill_n(sum, kTile, 0.0f);
  }

  // Turns a tile of scores into exp(score - largest).
  void update(Row<kTile>* scores, int64_t keys) {
    float before[kTile];
    std::copy_n(largest, kTile, before);
    for (int64_t j = 0; j < keys; ++j) {
#pragma omp simd
      for (int64_t i = 0; i < kTile; ++i) largest[i] = std::max(largest[i], scores[j][i]);
    }
#pragma omp simd
    for (int64_t i = 0; i < kTile; ++i) {
      rescale[i] = vector_exp(before[i] - largest[i]);
      sum[i] *= rescale[i];
    }
    for (int64_t j = 0; j < keys; ++j) {
#pragma omp simd
      for (int64_t i = 0; i < kTile; ++i) {
        scores[j][i] = vector_exp(scores[j][i] - largest[i]);
        sum[i] += scores[j][i];
      }
    }
  }
};

// ---- forward

template <int64_t hs>
struct alignas(Vector) ForwardTiles {
  float q[kTile][hs], q_t[hs][kTile], k[kTile][hs], v[kTile][hs], y[kTile][hs];
  float p[kTile][kTile];  // p[j][i]: key j, query i
};

template <int64_t hs, class T>
void forward_tile(const Head<T>& y, float* log_sum_exp, const Head<const T>& q, const Head<const T>& k,
                  const Head<const T>& v, int64_t i0, const AttentionShape& shape) {
  ForwardTiles<hs> tiles;
  OnlineSums online;
  const int64_t queries = rows_at(i0, shape.T);
  load<hs>(tiles.q, q, i0, queries, shape.scale);
  transpose<hs>(tiles.q_t, tiles.q);
  clear(tiles.y, kTile);
  for (int64_t j0 = 0; j0 <= i0; j0 += kTile) {
    const int64_t keys = whole_rows(rows_at(j0, shape.T));
    load<hs>(tiles.k, k, j0, rows_at(j0, shape.T));
    load<hs>(tiles.v, v, j0, rows_at(j0, shape.T));
    multiply<false, kTile>(tiles.p, plain<hs>(tiles.k), tiles.q_t, keys, hs);
    if (j0 == i0) mask_diagonal(tiles.p, keys);
    online.update(tiles.p, keys);
    for (int64_t i = 0; i < kTile; ++i) {
#pragma omp simd
      for (int64_t c = 0; c < hs; ++c) tiles.y[i][c] *= online.rescale[i];
    }
    multiply<true, hs>(tiles.y, transposed<kTile>(tiles.p), tiles.v, kTile, keys);
  }
  for (int64_t i = 0; i < queries; ++i) {
    const float factor = 1 / online.sum[i];
    for (int64_t c = 0; c < hs; ++c) tiles.y[i][c] *= factor;
    log_sum_exp[i0 + i] = online.largest[i] + std::log(online.sum[i]);
  }
  store<hs>(y, tiles.y, i0, queries, 1);
}

// ---- backward

// All keys of a head, and the sums of their gradients: tile after tile of queries adds to them.
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

// From p the probabilities and from dp their gradients, where p is a tile of scores:
// ds = p * (dp - dy_y), since sum over j of p_j dp_j = sum over c of dy_c y_c.
template <int64_t hs>
void softmax_gradient(BackwardTiles<hs>& t, int64_t keys) {
  for (int64_t j = 0; j < keys; ++j) {
#pragma omp simd
    for (int64_t i = 0; i < kTile; ++i) {
      t.p[j][i] = vector_exp(t.p[j][i] - t.log_sum_exp[i]);
      t.ds[j][i] = t.p[j][i] * (t.ds[j][i] - t.dy_y[i]);
    }
  }
}

template <int64_t hs, class T>
void load_queries(BackwardTiles<hs>& t, const Head<const T>& dy, const Head<const T>& y,
                  const float* log_sum_exp, const Head<const T>& q, int64_t i0, const AttentionShape& shape) {
  const int64_t queries = rows_at(i0, shape.T);
  load<hs>(t.q, q, i0, queries, shape.scale);
  load<hs>(t.dy, dy, i0, queries);
  load<hs>(t.dq, y, i0, queries);  // until dy_y is known
  for (int64_t i = 0; i < kTile; ++i) {
    t.dy_y[i] = sum(shape.hs, [&](int64_t c) { return t.dy[i][c] * t.dq[i][c]; });
    t.log_sum_exp[i] = i < queries ? log_sum_exp[i0 + i] : 0;
  }
  transpose<hs>(t.q_t, t.q);
  transpose<hs>(t.dy_t, t.dy);
  clear(t.dq, kTile);
}

template <int64_t hs>
void backward_tile(BackwardTiles<hs>& t, const KeyRows<hs>& rows, int64_t j0, int64_t keys,
                   bool is_diagonal) {
  multiply<false, kTile>(t.p, plain<hs>(rows.k + j0), t.q_t, keys, hs);
  multiply<false, kTile>(t.ds, plain<hs>(rows.v + j0), t.dy_t, keys, hs);
  if (is_diagonal) mask_diagonal(t.p, keys);
  softmax_gradient(t, keys);
  multiply<true, hs>(rows.dv + j0, plain<kTile>(t.p), t.dy, keys, kTile);
  multiply<true, hs>(rows.dk + j0, plain<kTile>(t.ds), t.q, keys, kTile);
  multiply<true, hs>(t.dq, transposed<kTile>(t.ds), rows.k + j0, kTile, keys);
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
    for (int64_t j0 = 0; j0 <= i0; j0 += kTile) {
      backward_tile(tiles, rows, j0, whole_rows(rows_at(j0, shape.T)), j0 == i0);
    }
    store<hs>(head.dq, tiles.dq, i0, rows_at(i0, shape.T), shape.scale);
  }
  for (int64_t j0 = 0; j0 < shape.T; j0 += kTile) {
    store<hs>(head.dk, rows.dk + j0, j0, rows_at(j0, shape.T), 1);
    store<hs>(head.dv, rows.dv + j0, j0, rows_at(j0, shape.T), 1);
  }
}

// Threads that take part in the backward pass, each with a workspace of its own for one head at a time.
int64_t backward_threads(const AttentionShape& shape) {
  return std::min<int64_t>(omp_get_max_threads(), shape.B * shape.heads);
}

}  // namespace

bool flash_attention_supports(int64_t hs) {
  return for_head_size(hs, [](auto) {});
}

// Tiles of queries are independent. The last have the most keys to meet: they are begun first.
template <class T>
void flash_attention_forward(Stream, HeadsView<T> y, float* log_sum_exp, HeadsView<const T> q,
                             HeadsView<const T> k, HeadsView<const T> v, const AttentionShape& shape) {
  const int64_t tiles = padded(shape.T) / kTile, heads = shape.B * shape.heads;
  for_head_size(shape.hs, [&](auto size) {
#pragma omp parallel for collapse(2) schedule(dynamic)
    for (int64_t tile = tiles - 1; tile >= 0; --tile) {
      for (int64_t head = 0; head < heads; ++head) {
        const int64_t b = head / shape.heads, h = head % shape.heads;
        forward_tile<size, T>(Head(y, b, h), log_sum_exp + head * shape.T, Head(q, b, h), Head(k, b, h),
                              Head(v, b, h), tile * kTile, shape);
      }
    }
  });
}

int64_t flash_attention_workspace(const AttentionShape& shape) {
  return backward_threads(shape) * 4 * padded(shape.T) * shape.hs;
}

// Heads are independent; within a head, tiles follow one another, since each adds to the sums of others.
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
