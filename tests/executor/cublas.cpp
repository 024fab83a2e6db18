#include <cublasLt.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "common/tensor/bf16.h"

struct cublasLtContext {};

struct cublasLtMatrixLayoutOpaque_t {
  cudaDataType type;
  int64_t rows, cols, ld;
  int32_t batch = 1;
  int64_t batch_stride = 0;
};

struct cublasLtMatmulDescOpaque_t {
  cublasComputeType_t compute_type;
  cublasOperation_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  cublasLtPointerMode_t pointer_mode = CUBLASLT_POINTER_MODE_HOST;
  const void* bias = nullptr;
  void* aux = nullptr;
  int64_t aux_ld = 0;
};

struct cublasLtMatmulPreferenceOpaque_t {
  size_t workspace_bytes = 0;
  uint32_t alignment[4] = {256, 256, 256, 256};  // what cuBLASLt believes if nobody says otherwise
};

namespace {

constexpr int kSuggestions = 4;
constexpr int kUnsupported = 1;  // this suggestion turns out not to work
constexpr int kFails = 2;        // this one only when it runs

template <class T>
cublasStatus_t assign(T& field, const void* value, size_t bytes) {
  if (bytes != sizeof field) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&field, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

using gpt2::bf16;

bool is_aligned(const void* pointer, uint32_t bytes) {
  return reinterpret_cast<uintptr_t>(pointer) % bytes == 0;
}

double load(const void* data, cudaDataType type, int64_t i) {
  return type == CUDA_R_16BF ? double(static_cast<const bf16*>(data)[i])
                             : double(static_cast<const float*>(data)[i]);
}

void store(void* data, cudaDataType type, int64_t i, double value) {
  if (type == CUDA_R_16BF) {
    static_cast<bf16*>(data)[i] = bf16(float(value));
  } else {
    static_cast<float*>(data)[i] = float(value);
  }
}

struct Operand {
  const void* data = nullptr;
  cudaDataType type;
  int64_t rows, cols;
  int64_t row_stride, col_stride, batch_stride;

  Operand(const void* matrix, const cublasLtMatrixLayoutOpaque_t& layout, cublasOperation_t transpose)
      : data(matrix),
        type(layout.type),
        rows(layout.rows),
        cols(layout.cols),
        row_stride(1),
        col_stride(layout.ld),
        batch_stride(layout.batch_stride) {
    if (transpose == CUBLAS_OP_N) return;
    std::swap(rows, cols);
    std::swap(row_stride, col_stride);
  }
  // Column by column, without gaps.
  std::vector<double> values(int64_t batch) const {
    std::vector<double> values;
    for (int64_t j = 0; j < cols; ++j) {
      for (int64_t i = 0; i < rows; ++i) {
        values.push_back(load(data, type, batch * batch_stride + i * row_stride + j * col_stride));
      }
    }
    return values;
  }
};

bool has_bias(const cublasLtMatmulDescOpaque_t& operation) {
  return operation.epilogue == CUBLASLT_EPILOGUE_BIAS ||
         operation.epilogue == CUBLASLT_EPILOGUE_GELU_AUX_BIAS;
}

bool has_bias_gradient(const cublasLtMatmulDescOpaque_t& operation) {
  return operation.epilogue == CUBLASLT_EPILOGUE_BGRADB;
}

bool has_aux(const cublasLtMatmulDescOpaque_t& operation) { return (operation.epilogue & 128) != 0; }

bool fits(const cublasLtMatmulDescOpaque_t& operation, const cublasLtMatrixLayoutOpaque_t& a,
          const cublasLtMatrixLayoutOpaque_t& b, const cublasLtMatrixLayoutOpaque_t& d) {
  const Operand left(nullptr, a, operation.transpose_a), right(nullptr, b, operation.transpose_b);
  const bool types = a.type == b.type && (a.type == d.type || d.type == CUDA_R_32F) &&
                     (a.type == CUDA_R_32F || operation.compute_type == CUBLAS_COMPUTE_32F);
  const bool pointers = (!(has_bias(operation) || has_bias_gradient(operation)) || operation.bias) &&
                        (!has_aux(operation) || operation.aux);
  return types && pointers && left.rows == d.rows && left.cols == right.rows && right.cols == d.cols &&
         a.ld >= a.rows && b.ld >= b.rows && d.ld >= d.rows && a.batch == d.batch && b.batch == d.batch;
}

bool is_supported(const cublasLtMatmulDescOpaque_t& operation, const cublasLtMatrixLayoutOpaque_t& a,
                  const cublasLtMatrixLayoutOpaque_t& d) {
  return !has_aux(operation) || (operation.aux_ld % 8 == 0 && operation.aux_ld >= d.rows && d.batch == 1 &&
                                 a.type == d.type && is_aligned(operation.aux, 16));
}

constexpr double kSqrt2OverPi = 0.79788456080286535588;

double gelu(double x) { return x / 2 * (1 + std::tanh(kSqrt2OverPi * (x + 0.044715 * x * x * x))); }

double gelu_slope(double x) {
  const double t = std::tanh(kSqrt2OverPi * (x + 0.044715 * x * x * x));
  return (1 + t) / 2 + x / 2 * (1 - t * t) * kSqrt2OverPi * (1 + 3 * 0.044715 * x * x);
}

// What becomes of value (i, j) of D.
double finish(const cublasLtMatmulDescOpaque_t& operation, cudaDataType type, double value, int64_t i,
              int64_t j) {
  if (has_bias(operation)) value += load(operation.bias, type, i);
  if (!has_aux(operation)) return value;
  const int64_t at = i + j * operation.aux_ld;
  if (operation.epilogue == CUBLASLT_EPILOGUE_DGELU) return value * gelu_slope(load(operation.aux, type, at));
  store(operation.aux, type, at, value);
  return gelu(value);
}

struct Factors {
  double alpha, beta;
};

// D = alpha A B + beta D for one matrix of each, epilogue included.
void multiply(const cublasLtMatmulDescOpaque_t& operation, void* d,
              const cublasLtMatrixLayoutOpaque_t& layout, int64_t batch, const Operand& left,
              const Operand& right, const Factors& factors) {
  const std::vector<double> a = left.values(batch), b = right.values(batch);
  for (int64_t j = 0; j < right.cols && has_bias_gradient(operation); ++j) {
    double sum = 0;
    for (int64_t k = 0; k < right.rows; ++k) sum += b[size_t(k + j * right.rows)];
    store(const_cast<void*>(operation.bias), layout.type, j, sum);
  }
  std::vector<double> sums(static_cast<size_t>(left.rows));
  for (int64_t j = 0; j < right.cols; ++j) {
    sums.assign(sums.size(), 0.0);
    for (int64_t k = 0; k < left.cols; ++k) {
      const double factor = b[size_t(k + j * right.rows)];
      const double* column = &a[size_t(k * left.rows)];
      for (int64_t i = 0; i < left.rows; ++i) sums[size_t(i)] += factor * column[i];
    }
    for (int64_t i = 0; i < left.rows; ++i) {
      const int64_t at = batch * layout.batch_stride + i + j * layout.ld;
      const double old = factors.beta == 0 ? 0 : factors.beta * load(d, layout.type, at);
      store(d, layout.type, at, finish(operation, layout.type, factors.alpha * sums[size_t(i)] + old, i, j));
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

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, uint64_t rows,
                                          uint64_t cols, int64_t ld) {
  *layout = new cublasLtMatrixLayoutOpaque_t{type, int64_t(rows), int64_t(cols), ld};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void* value,
                                                size_t bytes) {
  return attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT ? assign(layout->batch, value, bytes)
                                                         : assign(layout->batch_stride, value, bytes);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* operation, cublasComputeType_t compute_type,
                                        cudaDataType) {
  *operation = new cublasLtMatmulDescOpaque_t{compute_type};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation,
                                              cublasLtMatmulDescAttributes_t attribute, const void* value,
                                              size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_POINTER_MODE:
      return assign(operation->pointer_mode, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return assign(operation->transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return assign(operation->transpose_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return assign(operation->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return assign(operation->bias, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
      return assign(operation->aux, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
      return assign(operation->aux_ld, value, bytes);
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
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[], int* found) {
  *found = 0;
  if (!fits(*operation, *a, *b, *d)) return CUBLAS_STATUS_INVALID_VALUE;
  if (!is_supported(*operation, *a, *d)) return CUBLAS_STATUS_NOT_SUPPORTED;
  for (; *found < std::min(wanted, kSuggestions); ++*found) {
    auto& [algorithm, state] = results[*found];
    std::memcpy(algorithm.alignment, preference->alignment, sizeof preference->alignment);
    algorithm.index = *found;
    state = *found == kUnsupported ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t operation, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void* workspace, size_t,
                              cudaStream_t stream) {
  const auto* aligned = algorithm->alignment;
  if (!fits(*operation, *a_layout, *b_layout, *d_layout) || c != d || c_layout != d_layout ||
      !is_supported(*operation, *a_layout, *d_layout) || algorithm->index == kUnsupported ||
      !is_aligned(a, aligned[0]) || !is_aligned(b, aligned[1]) || !is_aligned(c, aligned[2]) ||
      !is_aligned(d, aligned[3]) || !is_aligned(workspace, 256)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (algorithm->index == kFails) return CUBLAS_STATUS_NOT_SUPPORTED;
  const Operand left(a, *a_layout, operation->transpose_a), right(b, *b_layout, operation->transpose_b);
  const auto factors = [=] {
    return Factors{*static_cast<const float*>(alpha), *static_cast<const float*>(beta)};
  };
  const bool on_device = operation->pointer_mode == CUBLASLT_POINTER_MODE_DEVICE;
  const Factors now = on_device ? Factors{} : factors();
  const cudaError_t error = executor::submit(stream, [=, what = *operation, layout = *d_layout] {
    const Factors factors_of_call = on_device ? factors() : now;
    for (int64_t i = 0; i < layout.batch; ++i) multiply(what, d, layout, i, left, right, factors_of_call);
  });
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
