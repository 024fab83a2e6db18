// Products of small matrices that lie in the first-level cache, for kernels that are made of them: near the
// rate at which the processor multiplies and adds, where a library's call would cost more than it saves.
//
// The result is summed in registers, a few rows of a few vectors at a time, over the whole depth. The right
// factor is read in vectors along its rows; the left one value by value, so that it may come in any order.
//
// since 08_flash_attention
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

namespace gpt2::cpu {

// GCC's and clang's, cut to what the processor has. Tiles that are multiplied are aligned to it.
inline constexpr int64_t kVectorSize = 16;
using Vector __attribute__((vector_size(kVectorSize * sizeof(float)), may_alias)) = float;

// Rows of the result that are summed together.
inline constexpr int64_t kProductRows = 4;

// Rows of n floats, of which a tile is an array.
template <int64_t n>
using Row = float[n];

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

// The columns of the result that are summed in registers at once, beside kProductRows rows: there are 32
// registers of 16 floats with AVX-512, and 16 of 8 without.
constexpr int64_t columns_at_once(int64_t n, int64_t most) {
#ifdef __AVX512F__
  int64_t columns = std::min<int64_t>(most, 80);
#else
  int64_t columns = std::min<int64_t>(most, 16);
#endif
  while (n % columns != 0) columns -= kVectorSize;
  return columns;
}

// body(0) ... body(n - 1), written out: GCC keeps an array in registers only if it sees no loop over it.
template <int64_t n, class Body>
inline __attribute__((always_inline)) void unrolled(const Body& body) {
  [&]<int64_t... i>(std::integer_sequence<int64_t, i...>) __attribute__((always_inline)) { (body(i), ...); }
  (std::make_integer_sequence<int64_t, n>());
}

// c[i][j] = (kAdd ? c[i][j] : 0) + sum over k of a[i][k] b[k][j], for i < kProductRows and the j of kVectors
// vectors. A row of b is read ahead of its use: GCC would otherwise read it kProductRows times, once for each
// row of a.
template <bool kAdd, int64_t kVectors, int64_t n>
void multiply_in_registers(float* c, const Factor& a, const float* b, int64_t depth) {
  Vector sum[kProductRows][kVectors], b_k[kVectors], next[kVectors];
  unrolled<kProductRows>([&](int64_t r) { unrolled<kVectors>([&](int64_t v) { sum[r][v] = Vector{}; }); });
  unrolled<kVectors>([&](int64_t v) { next[v] = reinterpret_cast<const Vector*>(b)[v]; });
  for (int64_t k = 0; k < depth; ++k) {
    const float* a_k = a.data + k * a.col_stride;
    const float* b_next = b + std::min(k + 1, depth - 1) * n;
    unrolled<kVectors>([&](int64_t v) {
      b_k[v] = next[v];
      next[v] = reinterpret_cast<const Vector*>(b_next)[v];
      unrolled<kProductRows>([&](int64_t r) { sum[r][v] += a_k[r * a.row_stride] * b_k[v]; });
    });
  }
  unrolled<kProductRows>([&](int64_t r) {
    Vector* row = reinterpret_cast<Vector*>(c + r * n);
    unrolled<kVectors>([&](int64_t v) { row[v] = kAdd ? row[v] + sum[r][v] : sum[r][v]; });
  });
}

// What is known to be 0, or not wanted, in a product of tiles on the diagonal.
enum class Skip { nothing, a_above_diagonal, a_below_diagonal, c_below_diagonal };

// c (rows x n) = a (rows x depth) b (depth x n), or += with kAdd; rows is a multiple of kProductRows.
template <bool kAdd, Skip skip, int64_t n>
void multiply(Row<n>* c, const Factor& a, const Row<n>* b, int64_t rows, int64_t depth) {
  constexpr int64_t kColumns = columns_at_once(n, skip == Skip::c_below_diagonal ? n / 2 : n);
  for (int64_t i = 0; i < rows; i += kProductRows) {
    const int64_t begin = skip == Skip::a_below_diagonal ? i : 0;
    const int64_t end = skip == Skip::a_above_diagonal ? std::min(i + kProductRows, depth) : depth;
    const Factor a_i{&a.data[i * a.row_stride + begin * a.col_stride], a.row_stride, a.col_stride};
    for (int64_t j = skip == Skip::c_below_diagonal ? i / kColumns * kColumns : 0; j < n; j += kColumns) {
      multiply_in_registers<kAdd, kColumns / kVectorSize, n>(&c[i][j], a_i, &b[begin][j], end - begin);
    }
  }
}

}  // namespace gpt2::cpu
