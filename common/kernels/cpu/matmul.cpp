// Float products use oneDNN's sgemm instead of its matmul primitive. sgemm needs no object per shape
// (sampling has a new shape with every token), and over a training step it was the fastest library measured
// (docs/timing/gemm_study.md). bf16 products use gemm_bf16.cpp if the CPU has the instructions; otherwise
// their operands are converted to float and multiplied as floats, which gives the same products and sums.
#include "common/kernels/matmul.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/error.h"
#include "common/kernels/copy.h"
#include "common/kernels/cpu/gemm_bf16.h"
#include "common/kernels/cpu/gemm_loop.h"
#include "common/kernels/cpu/parallel.h"
#include "common/kernels/gelu.h"
#include "common/kernels/sum_rows.h"
#include "common/tensor/memory.h"

#ifdef GPT2_HAVE_ONEDNN
#include <oneapi/dnnl/dnnl.h>
#endif

namespace gpt2::cpu {
namespace {

#ifdef GPT2_HAVE_ONEDNN

char transposition(const ConstMatrixView& m) { return m.col_stride == 1 ? 'N' : 'T'; }

// A matrix with one row or column may have any stride between lines; BLAS requires at least the line's
// length.
template <class Void>
int64_t leading_dimension(const BasicMatrixView<Void>& m) {
  return m.col_stride == 1 ? std::max(m.row_stride, m.cols) : std::max(m.col_stride, m.rows);
}

// C = alpha A B + beta C in float; false if oneDNN refuses.
bool gemm(const ConstMatrixView& a, const ConstMatrixView& b, const MatrixView& c, float alpha, float beta) {
  return dnnl_sgemm(transposition(a), transposition(b), c.rows, c.cols, a.cols, alpha,
                    static_cast<const float*>(a.data), leading_dimension(a),
                    static_cast<const float*>(b.data), leading_dimension(b), beta,
                    static_cast<float*>(c.data), leading_dimension(c)) == dnnl_success;
}

#else

bool gemm(const ConstMatrixView& a, const ConstMatrixView& b, const MatrixView& c, float alpha, float beta) {
  gemm_loop(a, b, c, alpha, beta);
  return true;
}

#endif

// C = beta C + bias.
void start_from_bias(const MatrixView& c, float beta, const float* bias) {
  parallel_chunks(c.rows, rows_per_chunk(c.cols), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* row = static_cast<float*>(c.data) + i * c.row_stride;
      for (int64_t j = 0; j < c.cols; ++j) row[j] = beta == 0 ? bias[j] : beta * row[j] + bias[j];
    }
  });
}

bool multiply_one(const Matmul& p, int64_t b0, int64_t b1) {
  const MatrixView c = p.c.of_batch(b0, b1);
  if (p.bias) start_from_bias(c, p.beta, static_cast<const float*>(p.bias));
  return gemm(p.a.of_batch(b0, b1), p.b.of_batch(b0, b1), c, p.alpha, p.bias ? 1 : p.beta);
}

// Calls one(b0, b1) for each matrix of the batch. A single product uses all threads. In a batch of many, each
// thread computes some of the matrices; the products then run in a parallel region and start no threads of
// their own.
template <class One>
void for_each_of_batch(const Matmul& p, const One& one) {
  const int64_t n = p.batch[0] * p.batch[1];
  bool ok = true;
#pragma omp parallel for schedule(static) if (n > 1) reduction(&& : ok)
  for (int64_t i = 0; i < n; ++i) ok = one(i / p.batch[1], i % p.batch[1]) && ok;
  require(ok, "matmul: oneDNN cannot multiply ({}, {}) by ({}, {})", p.a.rows, p.a.cols, p.b.rows, p.b.cols);
}

void multiply_float(const Matmul& p) {
  for_each_of_batch(p, [&](int64_t b0, int64_t b1) { return multiply_one(p, b0, b1); });
}

// A contiguous copy of a batch of matrices in type `dtype`. This object owns the memory.
class Converted {
 public:
  Converted(const ConstMatrixView& from, const std::array<int64_t, 2>& batch, DType dtype)
      : storage_(kCpu, size_t(batch[0] * batch[1] * from.rows * from.cols) * size_of(dtype)), view_(from) {
    const bool by_rows = from.col_stride == 1;
    const int64_t lines = by_rows ? from.rows : from.cols, length = by_rows ? from.cols : from.rows;
    const int64_t line_stride = by_rows ? from.row_stride : from.col_stride, one = lines * length;
    view_.data = storage_.data();
    view_.dtype = dtype;
    view_.row_stride = by_rows ? length : 1;
    view_.col_stride = by_rows ? 1 : length;
    view_.batch_stride = {batch[1] * one, one};
    const Dims4 shape{batch[0], batch[1], lines, length}, to_strides{batch[1] * one, one, length, 1},
        from_strides{from.batch_stride[0], from.batch_stride[1], line_stride, 1};
    const auto copy = [&](auto* to) {
      from.dtype == DType::bf16
          ? copy_strided({}, to, static_cast<const bf16*>(from.data), shape, to_strides, from_strides)
          : copy_strided({}, to, static_cast<const float*>(from.data), shape, to_strides, from_strides);
    };
    dtype == DType::bf16 ? copy(static_cast<bf16*>(storage_.data()))
                         : copy(static_cast<float*>(storage_.data()));
  }
  const ConstMatrixView& view() const { return view_; }

 private:
  Storage storage_;
  ConstMatrixView view_;
};

// A float result for the bf16 matrices c: a contiguous copy of them, and back.
struct WideResult {
  Dims4 shape, strides, strides_of_c;

  WideResult(const MatrixView& c, const std::array<int64_t, 2>& batch)
      : shape{batch[0], batch[1], c.rows, c.cols},
        strides{batch[1] * c.rows * c.cols, c.rows * c.cols, c.cols, 1},
        strides_of_c{c.batch_stride[0], c.batch_stride[1], c.row_stride, 1} {}

  void widen(float* result, const MatrixView& c) const {
    copy_strided({}, result, static_cast<const bf16*>(c.data), shape, strides, strides_of_c);
  }
  void round(const MatrixView& c, const float* result) const {
    copy_strided({}, static_cast<bf16*>(c.data), result, shape, strides_of_c, strides);
  }
};

// For bf16 operands without a bf16 product on this CPU.
void multiply_widened(const Matmul& p) {
  const Converted a(p.a, p.batch, DType::f32), b(p.b, p.batch, DType::f32);
  Matmul wide = p;
  wide.a = a.view();
  wide.b = b.view();
  if (p.c.dtype == DType::f32) return multiply_float(wide);
  const WideResult conversion(p.c, p.batch);
  const int64_t one = p.c.rows * p.c.cols;
  const Storage result(kCpu, size_t(p.batch[0] * p.batch[1] * one) * sizeof(float));
  wide.c = row_major(static_cast<float*>(result.data()), p.c.rows, p.c.cols);
  wide.c.batch_stride = {p.batch[1] * one, one};
  std::optional<Converted> bias;
  if (p.bias) {
    const auto row = row_major(static_cast<const bf16*>(p.bias), 1, p.c.cols);
    wide.bias = bias.emplace(row, std::array<int64_t, 2>{1, 1}, DType::f32).view().data;
  }
  if (p.beta != 0) conversion.widen(static_cast<float*>(result.data()), p.c);
  multiply_float(wide);
  conversion.round(p.c, static_cast<const float*>(result.data()));
}

// oneDNN 3 also reads the gaps of a left operand with gaps, and a NaN there spreads into the result: 3.7 does
// so if the operand is one row, 3.12 (with AMX) if its rows have an odd length.
bool reads_gaps(const ConstMatrixView& a) {
  return (a.rows == 1 && a.col_stride > 1) || (a.cols % 2 == 1 && a.col_stride == 1 && a.row_stride > a.cols);
}

void multiply_bf16(const Matmul& p) {
  if (reads_gaps(p.a)) {
    const Converted a(p.a, p.batch, DType::bf16);
    Matmul packed = p;
    packed.a = a.view();
    return multiply_bf16(packed);
  }
  const GemmBf16* gemm = gemm_bf16(p);
  if (gemm == nullptr) return multiply_widened(p);
  const int64_t threads = std::min<int64_t>(omp_get_max_threads(), p.batch[0] * p.batch[1]);
  const size_t each = (gemm->scratchpad_bytes() + kAlignment - 1) / kAlignment * kAlignment;
  const Storage scratchpads(kCpu, size_t(threads) * each);
  for_each_of_batch(p, [&](int64_t b0, int64_t b1) {
    gemm->run(p.a.of_batch(b0, b1).data, p.b.of_batch(b0, b1).data, p.c.of_batch(b0, b1).data, p.bias,
              static_cast<char*>(scratchpads.data()) + size_t(omp_get_thread_num()) * each);
    return true;
  });
}

// Rounds float operands to bf16 first; the result stays float.
void multiply_rounded(const Matmul& p) {
  const Converted a(p.a, p.batch, DType::bf16), b(p.b, p.batch, DType::bf16);
  Matmul narrow = p;
  narrow.a = a.view();
  narrow.b = b.view();
  narrow.bias = nullptr;
  if (p.bias == nullptr) return multiply_bf16(narrow);
  for (int64_t i = 0; i < p.batch[0] * p.batch[1]; ++i) {
    start_from_bias(p.c.of_batch(i / p.batch[1], i % p.batch[1]), p.beta, static_cast<const float*>(p.bias));
  }
  narrow.beta = 1;
  multiply_bf16(narrow);
}

void multiply(const Matmul& p) {
  if (p.a.dtype == DType::bf16) return multiply_bf16(p);
  p.precision == MatmulPrecision::medium ? multiply_rounded(p) : multiply_float(p);
}

// Each sum over k is the sum of a column of A^T, whose rows are contiguous.
template <class Sum, class A>
void add_up_rows(Stream stream, const Matmul& p) {
  const ConstMatrixView& a = p.a;
  require(a.row_stride == 1 && a.col_stride == a.rows, "matmul: row sums of an A that is not a transpose");
  const Storage workspace(kCpu, size_t(sum_rows_workspace(a.cols, a.rows)) * sizeof(float));
  sum_rows(stream, static_cast<Sum*>(p.aux), static_cast<const A*>(a.data),
           static_cast<float*>(workspace.data()), a.cols, a.rows, 0);
}

template <class T>
void multiply_with_epilogue(Stream stream, Matmul p) {
  const auto c = static_cast<T*>(p.c.data), aux = static_cast<T*>(p.aux);
  const int64_t n = p.c.rows * p.c.cols;
  if (p.epilogue == Epilogue::gelu) {
    p.c.data = aux;
    multiply(p);
    gelu_forward<T>(stream, c, aux, n);
  } else {
    multiply(p);
    gelu_backward<T>(stream, c, aux, c, n);
  }
}

}  // namespace

// No CPU library also returns the value before the GELU. So the epilogues are a second pass over the result,
// which is still in the cache.
void matmul(Stream stream, const Matmul& p) {
  if (p.alpha_on_device != nullptr) {
    Matmul known = p;
    known.alpha = *p.alpha_on_device;
    known.alpha_on_device = nullptr;
    return matmul(stream, known);
  }
  if (p.epilogue == Epilogue::none) return multiply(p);
  if (p.epilogue == Epilogue::row_sums) {
    multiply(p);
    if (p.a.dtype == DType::f32) return add_up_rows<float, float>(stream, p);
    return p.c.dtype == DType::bf16 ? add_up_rows<bf16, bf16>(stream, p)
                                    : add_up_rows<float, bf16>(stream, p);
  }
  p.c.dtype == DType::bf16 ? multiply_with_epilogue<bf16>(stream, p)
                           : multiply_with_epilogue<float>(stream, p);
}

#ifdef GPT2_HAVE_ONEDNN

std::string matmul_instructions() {
  const int level = dnnl_get_effective_cpu_isa();
  for (const auto& [value, name] : {std::pair(dnnl_cpu_isa_sse41, "SSE 4.1"),
                                    {dnnl_cpu_isa_avx, "AVX"},
                                    {dnnl_cpu_isa_avx2, "AVX2"},
                                    {dnnl_cpu_isa_avx512_core, "AVX-512"},
                                    {dnnl_cpu_isa_avx512_core_vnni, "AVX-512 with VNNI"},
                                    {dnnl_cpu_isa_avx512_core_bf16, "AVX-512 with bf16"},
                                    {dnnl_cpu_isa_avx512_core_amx, "AMX"}}) {
    if (level == value) return name;
  }
  return fmt::format("oneDNN's level {:#x}", level);
}

#else

std::string matmul_instructions() { return "as compiled"; }

#endif

}  // namespace gpt2::cpu
