// oneDNN's sgemm rather than its matmul primitive: it needs no object per shape (sampling meets a new shape with
// every token), and over a training step it is the fastest library there is here (docs/timing/gemm_study.md).
#include "common/kernels/matmul.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/kernels/cpu/gemm_loop.h"
#include "common/kernels/cpu/parallel.h"

#ifdef GPT2_HAVE_ONEDNN
#include <oneapi/dnnl/dnnl.h>
#endif

namespace gpt2::cpu {
namespace {

#ifdef GPT2_HAVE_ONEDNN

char transposition(const MatrixView<const float>& m) { return m.col_stride == 1 ? 'N' : 'T'; }

// A matrix of one line may come with any stride from line to line; BLAS wants at least the line's length.
template <class T>
int64_t leading_dimension(const MatrixView<T>& m) {
  return m.col_stride == 1 ? std::max(m.row_stride, m.cols) : std::max(m.col_stride, m.rows);
}

// C = alpha A B + beta C; false if oneDNN refuses.
bool gemm(const MatrixView<const float>& a, const MatrixView<const float>& b, const MatrixView<float>& c,
          float alpha, float beta) {
  return dnnl_sgemm(transposition(a), transposition(b), c.rows, c.cols, a.cols, alpha, a.data,
                    leading_dimension(a), b.data, leading_dimension(b), beta, c.data,
                    leading_dimension(c)) == dnnl_success;
}

#else

bool gemm(const MatrixView<const float>& a, const MatrixView<const float>& b, const MatrixView<float>& c,
          float alpha, float beta) {
  gemm_loop(a, b, c, alpha, beta);
  return true;
}

#endif

template <class T>
MatrixView<T> of_batch(MatrixView<T> m, int64_t b0, int64_t b1) {
  m.data += b0 * m.batch_stride[0] + b1 * m.batch_stride[1];
  return m;
}

// C = beta C + bias.
void start_from_bias(const MatrixView<float>& c, float beta, const float* bias) {
  parallel_chunks(c.rows, rows_per_chunk(c.cols), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* row = c.data + i * c.row_stride;
      for (int64_t j = 0; j < c.cols; ++j) row[j] = beta == 0 ? bias[j] : beta * row[j] + bias[j];
    }
  });
}

bool multiply_one(const Matmul& p, int64_t b0, int64_t b1) {
  const MatrixView<float> c = of_batch(p.c, b0, b1);
  if (p.bias) start_from_bias(c, p.beta, p.bias);
  return gemm(of_batch(p.a, b0, b1), of_batch(p.b, b0, b1), c, p.alpha, p.bias ? 1 : p.beta);
}

}  // namespace

void matmul(Stream, const Matmul& p) {
  const int64_t n = p.batch[0] * p.batch[1];
  bool ok = true;
  // One matrix keeps all threads busy by itself; of many small ones each thread takes its share, and the
  // product inside, finding itself in a parallel region, starts no threads of its own.
#pragma omp parallel for schedule(static) if (n > 1) reduction(&& : ok)
  for (int64_t i = 0; i < n; ++i) ok = multiply_one(p, i / p.batch[1], i % p.batch[1]) && ok;
  require(ok, "matmul: oneDNN cannot multiply ({}, {}) by ({}, {})", p.a.rows, p.a.cols, p.b.rows, p.b.cols);
}

}  // namespace gpt2::cpu
