#include "common/kernels/cpu/gemm_loop.h"

#include <algorithm>

#include "common/kernels/cpu/tile_product.h"

namespace gpt2::cpu {
namespace {

constexpr int64_t kTile = 64;    // a tile of C is kTile x kTile
constexpr int64_t kDepth = 256;  // depth of the parts of A and B; a Tile fits into the second-level cache

// kRows x kCols values of C are summed in registers, a row in one vector. GCC does not vectorise the plain loop
// like this, and it is three times slower.
constexpr int64_t kRows = 4, kCols = kVectorSize;

// Operands of any memory order are copied here and padded with zeros, so that the multiplying loops have unit
// strides and whole vectors.
struct alignas(Vector) Tile {
  float a[kTile][kDepth];
  float b[kDepth][kTile];
  float c[kTile][kTile];
};

template <int64_t kHeight, int64_t kWidth>
void pack(float (&to)[kHeight][kWidth], const ConstMatrixView& m, int64_t i0, int64_t j0) {
  const int64_t rows = std::min(kHeight, m.rows - i0), cols = std::min(kWidth, m.cols - j0);
  if (rows < kHeight || cols < kWidth) std::fill_n(&to[0][0], kHeight * kWidth, 0.0f);
  const float* from = static_cast<const float*>(m.data) + i0 * m.row_stride + j0 * m.col_stride;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) to[i][j] = from[i * m.row_stride + j * m.col_stride];
  }
}

// c[i..][j..] += a[i..] b[..][j..] for kRows x kCols values.
void multiply_in_registers(Tile& t, int64_t i, int64_t j, int64_t depth) {
  Vector sum[kRows] = {};
  for (int64_t k = 0; k < depth; ++k) {
    const Vector b = reinterpret_cast<const Vector&>(t.b[k][j]);
    for (int64_t r = 0; r < kRows; ++r) sum[r] += t.a[i + r][k] * b;
  }
  for (int64_t r = 0; r < kRows; ++r) reinterpret_cast<Vector&>(t.c[i + r][j]) += sum[r];
}

// c += a b for the first `rows` rows, `cols` columns and `depth` terms.
void multiply_tile(Tile& t, int64_t rows, int64_t cols, int64_t depth) {
  for (int64_t i = 0; i < std::min(kTile, rows); i += kRows) {
    for (int64_t j = 0; j < std::min(kTile, cols); j += kCols) {
      multiply_in_registers(t, i, j, std::min(kDepth, depth));
    }
  }
}

void store(const Tile& t, const MatrixView& c, int64_t i0, int64_t j0, float alpha, float beta) {
  const int64_t rows = std::min(kTile, c.rows - i0), cols = std::min(kTile, c.cols - j0);
  for (int64_t i = 0; i < rows; ++i) {
    float* row = static_cast<float*>(c.data) + (i0 + i) * c.row_stride + j0;
    for (int64_t j = 0; j < cols; ++j) row[j] = alpha * t.c[i][j] + (beta == 0 ? 0 : beta * row[j]);
  }
}

}  // namespace

void gemm_loop(const ConstMatrixView& a, const ConstMatrixView& b, const MatrixView& c, float alpha,
               float beta) {
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t i0 = 0; i0 < c.rows; i0 += kTile) {
    for (int64_t j0 = 0; j0 < c.cols; j0 += kTile) {
      Tile t;
      std::fill_n(&t.c[0][0], kTile * kTile, 0.0f);
      for (int64_t k0 = 0; k0 < a.cols; k0 += kDepth) {
        pack(t.a, a, i0, k0);
        pack(t.b, b, k0, j0);
        multiply_tile(t, c.rows - i0, c.cols - j0, a.cols - k0);
      }
      store(t, c, i0, j0, alpha, beta);
    }
  }
}

}  // namespace gpt2::cpu
