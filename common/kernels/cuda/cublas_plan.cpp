#include "common/kernels/cuda/cublas_plan.h"

#include <algorithm>

#include "common/base/error.h"

namespace gpt2::cuda {
namespace {

// The largest power of two, up to 256, that divides the address of element [i * stride] for all i.
int64_t alignment_of(const void* data, int64_t stride, DType dtype) {
  const auto bits = reinterpret_cast<uintptr_t>(data) | uintptr_t(stride) * size_of(dtype) | 256;
  return int64_t(bits & -bits);
}

int64_t alignment_if_any(const void* data, DType dtype) { return data ? alignment_of(data, 0, dtype) : 0; }

// `outer_stride` is the distance between the matrices of two calls with the same plan.
template <class Void>
Columns columns_of(const BasicMatrixView<Void>& m, int64_t batch_stride, int64_t outer_stride) {
  const bool row_major = m.col_stride == 1;
  const int64_t rows = row_major ? m.cols : m.rows, cols = row_major ? m.rows : m.cols;
  const int64_t ld = row_major ? m.row_stride : m.col_stride;  // any value if there is only one line
  return {m.dtype,
          !row_major,
          rows,
          cols,
          std::max(ld, rows),
          batch_stride,
          alignment_of(m.data, outer_stride, m.dtype)};
}

// cuBLASLt has one batch dimension. Ours are two; they become one if a single stride covers both.
template <class Void>
bool is_one_batch(const BasicMatrixView<Void>& m, const std::array<int64_t, 2>& batch) {
  return batch[0] == 1 || batch[1] == 1 || m.batch_stride[0] == batch[1] * m.batch_stride[1];
}

cublasComputeType_t compute_type(MatmulPrecision precision) {
  return precision == MatmulPrecision::highest ? CUBLAS_COMPUTE_32F
         : precision == MatmulPrecision::high  ? CUBLAS_COMPUTE_32F_FAST_TF32
                                               : CUBLAS_COMPUTE_32F_FAST_16BF;
}

bool has_gelu(Epilogue epilogue) { return epilogue == Epilogue::gelu || epilogue == Epilogue::gelu_grad; }

// The bias has one value per row of C^T, that is, per column of C.
cublasLtEpilogue_t epilogue_of(const Problem& p) {
  const bool bias = p.bias_alignment != 0;
  switch (p.epilogue) {
    case Epilogue::gelu:
      return bias ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_AUX;
    case Epilogue::gelu_grad:
      return CUBLASLT_EPILOGUE_DGELU;
    case Epilogue::row_sums:  // our A is cuBLASLt's B; its k dimension is summed
      return CUBLASLT_EPILOGUE_BGRADB;
    case Epilogue::none:
      break;
  }
  return bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
}

// The cases that cuBLASLt's documentation rules out: a GELU gradient or sums together with a bias, and a GELU's
// aux whose leading dimension (the number of columns of C) is not a multiple of 8.
bool is_ruled_out(const Problem& p) {
  if (p.epilogue == Epilogue::row_sums) return p.bias_alignment != 0;
  return has_gelu(p.epilogue) &&
         (p.c.rows % 8 != 0 || (p.epilogue == Epilogue::gelu_grad && p.bias_alignment != 0));
}

template <class T>
void set(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t attribute, T value) {
  check(cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof value),
        "cublasLtMatmulDescSetAttribute");
}

template <class T>
void set(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute, T value) {
  check(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value),
        "cublasLtMatmulPreferenceSetAttribute");
}

template <class T>
void set(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attribute, T value) {
  check(cublasLtMatrixLayoutSetAttribute(layout, attribute, &value, sizeof value),
        "cublasLtMatrixLayoutSetAttribute");
}

cublasLtMatrixLayout_t make_layout(const Columns& m, int64_t batch) {
  cublasLtMatrixLayout_t layout = nullptr;
  const auto type = m.dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F;
  check(cublasLtMatrixLayoutCreate(&layout, type, uint64_t(m.rows), uint64_t(m.cols), m.ld),
        "cublasLtMatrixLayoutCreate");
  set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, int32_t(batch));
  set(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, m.batch_stride);
  return layout;
}

cublasLtMatmulPreference_t make_preference(const Problem& problem) {
  cublasLtMatmulPreference_t preference = nullptr;
  check(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kCublasWorkspace);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, uint32_t(problem.b.alignment));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, uint32_t(problem.a.alignment));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, uint32_t(problem.c.alignment));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, uint32_t(problem.c.alignment));
  return preference;
}

}  // namespace

void check(cublasStatus_t status, const char* call) {
  require(status == CUBLAS_STATUS_SUCCESS, "matmul: {}: {}", call, cublasLtGetStatusString(status));
}

// Attention's operands are strided views of the packed (B, T, 3C) buffer. No single stride covers all their
// matrices, so there is one call per sequence, for all its heads.
Calls calls_of(const Matmul& p) {
  const bool one_batch =
      is_one_batch(p.a, p.batch) && is_one_batch(p.b, p.batch) && is_one_batch(p.c, p.batch);
  const int64_t count = one_batch ? 1 : p.batch[0];
  const size_t inner = one_batch && p.batch[1] == 1 ? 0 : 1;
  const auto columns = [&](const auto& m) {
    return columns_of(m, m.batch_stride[inner], count == 1 ? 0 : m.batch_stride[0]);
  };
  const auto precision = p.a.dtype == DType::f32 ? p.precision : MatmulPrecision::highest;
  const bool has_aux = p.epilogue != Epilogue::none;
  return {count,
          {columns(p.b), columns(p.a), columns(p.c), p.batch[0] * p.batch[1] / count, precision, p.epilogue,
           alignment_if_any(p.bias, p.c.dtype), has_aux ? alignment_if_any(p.aux, p.c.dtype) : 0,
           p.alpha_on_device != nullptr}};
}

Plan make_plan(const Problem& problem) {
  Plan plan;
  check(cublasLtMatmulDescCreate(&plan.operation, compute_type(problem.precision), CUDA_R_32F),
        "cublasLtMatmulDescCreate");
  set(plan.operation, CUBLASLT_MATMUL_DESC_TRANSA, problem.b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(plan.operation, CUBLASLT_MATMUL_DESC_TRANSB, problem.a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(plan.operation, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(problem));
  if (has_gelu(problem.epilogue)) set(plan.operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, problem.c.rows);
  if (problem.alpha_on_device) {
    set(plan.operation, CUBLASLT_MATMUL_DESC_POINTER_MODE, CUBLASLT_POINTER_MODE_DEVICE);
  }
  plan.b = make_layout(problem.b, problem.batch);
  plan.a = make_layout(problem.a, problem.batch);
  plan.c = make_layout(problem.c, problem.batch);
  return plan;
}

void point_to(const Plan& plan, const Matmul& p) {
  if (p.bias) set(plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
  if (has_gelu(p.epilogue)) set(plan.operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, p.aux);
  if (p.epilogue == Epilogue::row_sums) set(plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.aux);
}

std::vector<cublasLtMatmulAlgo_t> suggestions(cublasLtHandle_t handle, const Problem& problem,
                                              const Plan& plan, int wanted) {
  if (is_ruled_out(problem)) return {};
  const cublasLtMatmulPreference_t preference = make_preference(problem);
  std::vector<cublasLtMatmulHeuristicResult_t> results(static_cast<size_t>(wanted));
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle, plan.operation, plan.b, plan.a, plan.c, plan.c, preference, wanted, results.data(), &found);
  check(cublasLtMatmulPreferenceDestroy(preference), "cublasLtMatmulPreferenceDestroy");
  std::vector<cublasLtMatmulAlgo_t> algorithms;
  for (int i = 0; status == CUBLAS_STATUS_SUCCESS && i < found; ++i) {
    const auto& result = results[size_t(i)];
    if (result.state == CUBLAS_STATUS_SUCCESS) algorithms.push_back(result.algo);
  }
  require(!algorithms.empty() || problem.epilogue != Epilogue::none,
          "matmul: cuBLASLt has no algorithm for C ({}, {}) with leading dimensions {}, {}, {}: {}",
          problem.c.cols, problem.c.rows, problem.a.ld, problem.b.ld, problem.c.ld,
          cublasLtGetStatusString(status));
  return algorithms;
}

}  // namespace gpt2::cuda
