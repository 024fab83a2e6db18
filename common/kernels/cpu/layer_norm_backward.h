// The backward pass of layer_norm.cpp and add_layer_norm.cpp: all gradients in one pass over the rows. Each chunk
// of rows has partial sums of the weight gradients, which are added in order at the end.
//
// since 04_overfit
#pragma once

#include "common/kernels/cpu/parallel.h"
#include "common/kernels/sum_rows.h"

namespace gpt2::cpu {

// Rows that share a partial sum: 64 of the branch's gradient, as in sum_rows, which would give the same bits.
inline constexpr int64_t kLayerNormRows = 32, kBranchRows = 64;

inline int64_t layer_norm_chunks(int64_t rows) { return (rows + kLayerNormRows - 1) / kLayerNormRows; }
inline int64_t branch_chunks(int64_t rows) { return (rows + kBranchRows - 1) / kBranchRows; }

template <class X, class Y>
struct LayerNormBackward {
  X* dx;                      // (rows, C), like dbranch, dy, dsum and x
  Y* dbranch;                 // null, or where dx goes as Y
  float *dweights, *dbiases;  // (layer_norm_chunks(rows), C) each
  float* branch_sums;         // null, or (branch_chunks(rows), C)
  const Y* dy;
  const X* dsum;  // null, or what is added to dx
  const X *x, *weight;
  const float *mean, *rstd;
  int64_t rows, C;
};

// dx of one row. All passes after the first read from the first-level cache.
template <class X, class Y>
void input_gradient(const LayerNormBackward<X, Y>& p, int64_t row) {
  const int64_t C = p.C;
  const auto count = static_cast<float>(C);
  const X *x = p.x + row * C, *weight = p.weight, *dsum = p.dsum ? p.dsum + row * C : nullptr;
  const Y* dy = p.dy + row * C;
  X* dx = p.dx + row * C;
  const float m = p.mean[row], r = p.rstd[row];
  const auto x_hat = [=](int64_t j) { return (x[j] - m) * r; };
  const auto g = [=](int64_t j) { return dy[j] * weight[j]; };
  const float mean_g = sum(C, g) / count;
  const float mean_g_x_hat = sum(C, [=](int64_t j) { return g(j) * x_hat(j); }) / count;
  const auto through = [=](int64_t j) { return r * (g(j) - mean_g - x_hat(j) * mean_g_x_hat); };
  if (dsum) {
#pragma omp simd
    for (int64_t j = 0; j < C; ++j) dx[j] = dsum[j] + through(j);
  } else {
#pragma omp simd
    for (int64_t j = 0; j < C; ++j) dx[j] = through(j);
  }
}

// Adds a row to the partial sums of its chunk. Call it before input_gradient, because dx may be dy.
template <class X, class Y>
void add_to_weight_sums(const LayerNormBackward<X, Y>& p, int64_t row, float* dweight, float* dbias) {
  const X* x = p.x + row * p.C;
  const Y* dy = p.dy + row * p.C;
  const float m = p.mean[row], r = p.rstd[row];
#pragma omp simd
  for (int64_t j = 0; j < p.C; ++j) {
    dweight[j] += dy[j] * ((x[j] - m) * r);
    dbias[j] += dy[j];
  }
}

// Writes dx as Y, and adds what was written to the partial sum.
template <class X, class Y>
void branch_gradient(const LayerNormBackward<X, Y>& p, int64_t row, float* partial_sum) {
  const X* dx = p.dx + row * p.C;
  Y* dbranch = p.dbranch ? p.dbranch + row * p.C : nullptr;
  if (dbranch) {
#pragma omp simd
    for (int64_t j = 0; j < p.C; ++j) dbranch[j] = dx[j];
  }
  if (partial_sum) {
#pragma omp simd
    for (int64_t j = 0; j < p.C; ++j) partial_sum[j] += Y(dx[j]);
  }
}

// rest: the workspace of sum_rows.
template <class X, class Y>
void layer_norm_backward(Stream stream, const LayerNormBackward<X, Y>& p, X* dweight, X* dbias, float* rest,
                         float beta_w, float beta_b) {
  parallel_chunks(p.rows, kBranchRows, [&](int64_t begin, int64_t end) {
    float* of_branch = p.branch_sums ? p.branch_sums + begin / kBranchRows * p.C : nullptr;
    if (of_branch) std::fill_n(of_branch, p.C, 0.0f);
    for (int64_t row = begin; row < end; ++row) {
      const int64_t sums = row / kLayerNormRows * p.C;
      float *dw = p.dweights + sums, *db = p.dbiases + sums;
      if (row % kLayerNormRows == 0) {
        std::fill_n(dw, p.C, 0.0f);
        std::fill_n(db, p.C, 0.0f);
      }
      add_to_weight_sums(p, row, dw, db);
      input_gradient(p, row);
      if (p.dbranch || of_branch) branch_gradient(p, row, of_branch);
    }
  });
  const int64_t chunks = layer_norm_chunks(p.rows);
  sum_rows(stream, dweight, p.dweights, rest, chunks, p.C, beta_w);
  sum_rows(stream, dbias, p.dbiases, rest, chunks, p.C, beta_b);
}

}  // namespace gpt2::cpu
