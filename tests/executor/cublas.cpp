#include <cublasLt.h>

#include <cstring>
#include <utility>
#include <vector>

struct cublasLtContext {};

struct cublasLtMatrixLayoutOpaque_t {
  int64_t rows, cols, ld;
  int32_t batch = 1;
  int64_t batch_stride = 0;
};

struct cublasLtMatmulDescOpaque_t {
  cublasOperation_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const float* bias = nullptr;
};

struct cublasLtMatmulPreferenceOpaque_t {
  size_t workspace_bytes = 0;
  uint32_t alignment[4] = {256, 256, 256, 256};  // what cuBLASLt believes if nobody says otherwise
};

namespace {

template <class T>
cublasStatus_t assign(T& field, const void* value, size_t bytes) {
  if (bytes != sizeof field) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&field, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

struct Operand {
  int64_t rows, cols;
  int64_t row_stride, col_stride;

  Operand(const cublasLtMatrixLayoutOpaque_t& layout, cublasOperation_t transpose)
      : rows(layout.rows), cols(layout.cols), row_stride(1), col_stride(layout.ld) {
    if (transpose == CUBLAS_OP_N) return;
    std::swap(rows, cols);
    std::swap(row_stride, col_stride);
  }
};

bool fits(const cublasLtMatmulDescOpaque_t& operation, const cublasLtMatrixLayoutOpaque_t& a,
          const cublasLtMatrixLayoutOpaque_t& b, const cublasLtMatrixLayoutOpaque_t& d) {
  const Operand left(a, operation.transpose_a), right(b, operation.transpose_b);
  return left.rows == d.rows && left.cols == right.rows && right.cols == d.cols && a.ld >= a.rows &&
         b.ld >= b.rows && d.ld >= d.rows && a.batch == d.batch && b.batch == d.batch;
}

bool is_aligned(const void* pointer, uint32_t bytes) {
  return reinterpret_cast<uintptr_t>(pointer) % bytes == 0;
}

struct Factors {
  float alpha, beta;
  const float* bias;  // one for each row, or null
};

// D = alpha A B + beta D + bias for one matrix of each.
void multiply(float* d, int64_t ld, const float* a, const Operand& left, const float* b, const Operand& right,
              const Factors& factors) {
  std::vector<double> sums(static_cast<size_t>(left.rows));
  for (int64_t j = 0; j < right.cols; ++j) {
    sums.assign(sums.size(), 0.0);
    for (int64_t k = 0; k < left.cols; ++k) {
      const double factor = b[k * right.row_stride + j * right.col_stride];
      const float* column = a + k * left.col_stride;
      for (int64_t i = 0; i < left.rows; ++i) sums[size_t(i)] += factor * double(column[i * left.row_stride]);
    }
    for (int64_t i = 0; i < left.rows; ++i) {
      float& out = d[i + j * ld];
      const double old = factors.beta == 0 ? 0 : double(factors.beta) * double(out);
      const double bias = factors.bias == nullptr ? 0 : double(factors.bias[i]);
      out = float(double(factors.alpha) * sums[size_t(i)] + old + bias);
    }
  }
}

}  // namespace

const char* cublasLtGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? "success" : "invalid value or not supported";
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  static cublasLtContext context;
  *handle = &context;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType, uint64_t rows,
                                          uint64_t cols, int64_t ld) {
  *layout = new cublasLtMatrixLayoutOpaque_t{int64_t(rows), int64_t(cols), ld};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void* value,
                                                size_t bytes) {
  return attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT ? assign(layout->batch, value, bytes)
                                                         : assign(layout->batch_stride, value, bytes);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* operation, cublasComputeType_t, cudaDataType) {
  *operation = new cublasLtMatmulDescOpaque_t;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation,
                                              cublasLtMatmulDescAttributes_t attribute, const void* value,
                                              size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return assign(operation->transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return assign(operation->transpose_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return assign(operation->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return assign(operation->bias, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new cublasLtMatmulPreferenceOpaque_t;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t bytes) {
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) {
    return assign(preference->workspace_bytes, value, bytes);
  }
  return assign(preference->alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, bytes);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int,
                                              cublasLtMatmulHeuristicResult_t results[], int* found) {
  *found = 0;
  if (!fits(*operation, *a, *b, *d)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(results[0].algo.alignment, preference->alignment, sizeof preference->alignment);
  results[0].state = CUBLAS_STATUS_SUCCESS;
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t operation, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void* workspace, size_t, cudaStream_t) {
  const auto* aligned = algorithm->alignment;
  if (!fits(*operation, *a_layout, *b_layout, *d_layout) || c != d || c_layout != d_layout ||
      !is_aligned(a, aligned[0]) || !is_aligned(b, aligned[1]) || !is_aligned(c, aligned[2]) ||
      !is_aligned(d, aligned[3]) || !is_aligned(workspace, 256)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const bool with_bias = operation->epilogue == CUBLASLT_EPILOGUE_BIAS;
  const Factors factors{*static_cast<const float*>(alpha), *static_cast<const float*>(beta),
                        with_bias ? operation->bias : nullptr};
  for (int64_t i = 0; i < d_layout->batch; ++i) {
    multiply(static_cast<float*>(d) + i * d_layout->batch_stride, d_layout->ld,
             static_cast<const float*>(a) + i * a_layout->batch_stride,
             Operand(*a_layout, operation->transpose_a),
             static_cast<const float*>(b) + i * b_layout->batch_stride,
             Operand(*b_layout, operation->transpose_b), factors);
  }
  return CUBLAS_STATUS_SUCCESS;
}
