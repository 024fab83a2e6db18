// Products of small matrices in the first-level cache, close to the CPU's peak rate. For such small products
// a library call would cost more than it saves.
//
// The result is summed in registers over the whole depth, a few rows of a few vectors at a time. The right
// factor is read in vectors along its rows. The left factor is read value by value, so it may have any memory
// order.
//
// since 08_flash_attention
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

namespace gpt2::cpu {

// A vector type of GCC and clang, which they split into the CPU's vector registers. Tiles are aligned to it. On
// arm64 it is one register: GCC 14 keeps longer vectors in memory there and computes wrong sums with them.
#ifdef __aarch64__
inline constexpr int64_t kVectorSize = 4;
#else
inline constexpr int64_t kVectorSize = 16;
#endif
using Vector __attribute__((vector_size(kVectorSize * sizeof(float)), may_alias)) = float;

// Number of rows of the result that are summed together.
inline constexpr int64_t kProductRows = 4;

// A row of n floats; a tile is an array of rows.
template <int64_t n>
using Row = float[n];

// The left factor of a product. Its values are read one by one, so any memory order works.
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

// The number of columns of the result that are summed in registers at once, for kProductRows rows. AVX-512
// has 32 registers of 16 floats, AVX2 16 of 8, arm64 32 of 4.
constexpr int64_t columns_at_once(int64_t n, int64_t most) {
#ifdef __AVX512F__
  int64_t columns = std::min<int64_t>(most, 80);
#else
  int64_t columns = std::min<int64_t>(most, 16);
#endif
  while (n % columns != 0) columns -= kVectorSize;
  return columns;
}

// Calls body(0) ... body(n - 1) without a loop, because GCC keeps an array in registers only if no loop runs
// over it.
template <int64_t n, class Body>
inline __attribute__((always_inline)) void unrolled(const Body& body) {
  [&]<int64_t... i>(std::integer_sequence<int64_t, i...>) __attribute__((always_inline)) { (body(i), ...); }
  (std::make_integer_sequence<int64_t, n>());
}

// c[i][j] = (kAdd ? c[i][j] : 0) + sum over k of a[i][k] b[k][j], for i < kProductRows and the columns j of
// kVectors vectors. A row of b is read before it is used; otherwise GCC would read it kProductRows times,
// once per row of a.
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

// The part of a product of diagonal tiles that is skipped: values of a that are 0, or values of c that are
// not needed.
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
