// cuBLASLt behind cuda::matmul. It works on column-major matrices, and the transpose of a row-major matrix is
// the same memory read column by column. So what is asked of it is C^T = B^T A^T: operands swapped, nothing
// copied.
#include "common/kernels/matmul.h"

#include <cublasLt.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <compare>
#include <map>
#include <memory>

#include "common/base/error.h"
#include "common/tensor/memory.h"

namespace gpt2::cuda {
namespace {

constexpr size_t kWorkspace = size_t{32} << 20;  // what NVIDIA recommends for Hopper

void check(cublasStatus_t status, const char* call) {
  require(status == CUBLAS_STATUS_SUCCESS, "matmul: {}: {}", call, cublasLtGetStatusString(status));
}

// A batch of matrices as cuBLASLt sees them: rows * cols, column by column, `ld` from one to the next.
struct Columns {
  bool transposed;  // the product wants the transpose of this
  int64_t rows, cols, ld;
  int64_t batch_stride;
  int64_t alignment;  // bytes, of every first element

  auto operator<=>(const Columns&) const = default;
};

// All that the choice of an algorithm depends on.
struct Problem {
  Columns b, a, c;
  int64_t batch;
  bool bias;

  auto operator<=>(const Problem&) const = default;
};

// The algorithm chosen for a problem, and the problem in cuBLASLt's terms.
struct Plan {
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t b = nullptr, a = nullptr, c = nullptr;
  cublasLtMatmulAlgo_t algorithm{};
};

// Made once per GPU, and never destroyed: at the end of the process the CUDA runtime may be gone. As all work
// of a GPU runs on one stream, its products can share a workspace.
struct Library {
  cublasLtHandle_t handle = nullptr;
  Storage workspace;
  std::map<Problem, Plan> plans;  // asking for an algorithm takes longer than most products

  explicit Library(Device device) : workspace(device, kWorkspace) {
    check(cublasLtCreate(&handle), "cublasLtCreate");
  }
};

Library& library(Device device) {
  static auto& libraries = *new std::map<int, std::unique_ptr<Library>>;
  auto& slot = libraries[device.index];
  if (!slot) slot = std::make_unique<Library>(device);
  return *slot;
}

// The largest power of two, up to 256, that divides the address of data[i * stride] for all i.
int64_t alignment_of(const float* data, int64_t stride) {
  const auto bits = reinterpret_cast<uintptr_t>(data) | uintptr_t(stride) * sizeof(float) | 256;
  return int64_t(bits & -bits);
}

// `outer_stride`: between two calls with the same plan.
template <class T>
Columns columns_of(const MatrixView<T>& m, int64_t batch_stride, int64_t outer_stride) {
  const bool row_major = m.col_stride == 1;
  const int64_t rows = row_major ? m.cols : m.rows, cols = row_major ? m.rows : m.cols;
  const int64_t ld = row_major ? m.row_stride : m.col_stride;  // anything, where there is one line only
  return {!row_major, rows, cols, std::max(ld, rows), batch_stride, alignment_of(m.data, outer_stride)};
}

// cuBLASLt knows one batch dimension. Where one stride runs through both of ours, it gets them as one.
template <class T>
bool is_one_batch(const MatrixView<T>& m, const int64_t (&batch)[2]) {
  return batch[0] == 1 || batch[1] == 1 || m.batch_stride[0] == batch[1] * m.batch_stride[1];
}

cublasLtMatrixLayout_t make_layout(const Columns& m, int64_t batch) {
  cublasLtMatrixLayout_t layout = nullptr;
  check(cublasLtMatrixLayoutCreate(&layout, CUDA_R_32F, uint64_t(m.rows), uint64_t(m.cols), m.ld),
        "cublasLtMatrixLayoutCreate");
  const auto count = int32_t(batch);
  check(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count),
        "cublasLtMatrixLayoutSetAttribute");
  check(cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &m.batch_stride,
                                         sizeof m.batch_stride),
        "cublasLtMatrixLayoutSetAttribute");
  return layout;
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

// The first algorithm that cuBLASLt suggests.
void choose_algorithm(cublasLtHandle_t handle, const Problem& problem, Plan& plan) {
  cublasLtMatmulPreference_t preference = nullptr;
  check(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspace);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, uint32_t(problem.b.alignment));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, uint32_t(problem.a.alignment));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, uint32_t(problem.c.alignment));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, uint32_t(problem.c.alignment));
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(handle, plan.operation, plan.b, plan.a, plan.c,
                                                               plan.c, preference, 1, &result, &found);
  check(cublasLtMatmulPreferenceDestroy(preference), "cublasLtMatmulPreferenceDestroy");
  require(status == CUBLAS_STATUS_SUCCESS && found == 1 && result.state == CUBLAS_STATUS_SUCCESS,
          "matmul: cuBLASLt has no algorithm for C ({}, {}) with leading dimensions {}, {}, {}: {}",
          problem.c.cols, problem.c.rows, problem.a.ld, problem.b.ld, problem.c.ld,
          cublasLtGetStatusString(status));
  plan.algorithm = result.algo;
}

Plan make_plan(cublasLtHandle_t handle, const Problem& problem, const float* bias) {
  Plan plan;
  check(cublasLtMatmulDescCreate(&plan.operation, CUBLAS_COMPUTE_32F, CUDA_R_32F),
        "cublasLtMatmulDescCreate");
  set(plan.operation, CUBLASLT_MATMUL_DESC_TRANSA, problem.b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(plan.operation, CUBLASLT_MATMUL_DESC_TRANSB, problem.a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
  if (problem.bias) {  // one value for each of C^T's rows, which are C's columns
    set(plan.operation, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    set(plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  }
  plan.b = make_layout(problem.b, problem.batch);
  plan.a = make_layout(problem.a, problem.batch);
  plan.c = make_layout(problem.c, problem.batch);
  choose_algorithm(handle, problem, plan);
  return plan;
}

}  // namespace

// Attention's operands are strides in the packed (B, T, 3C) buffer, which no single stride runs through: one
// call per sequence, for all its heads.
void matmul(Stream stream, const Matmul& p) {
  const bool one_batch =
      is_one_batch(p.a, p.batch) && is_one_batch(p.b, p.batch) && is_one_batch(p.c, p.batch);
  const int64_t calls = one_batch ? 1 : p.batch[0], batch = p.batch[0] * p.batch[1] / calls;
  const int inner = one_batch && p.batch[1] == 1 ? 0 : 1;
  const auto columns = [&](const auto& m) {
    return columns_of(m, m.batch_stride[inner], calls == 1 ? 0 : m.batch_stride[0]);
  };
  Library& lib = library(stream.device);
  const Problem problem{columns(p.b), columns(p.a), columns(p.c), batch, p.bias != nullptr};
  auto plan = lib.plans.find(problem);
  if (plan == lib.plans.end())
    plan = lib.plans.emplace(problem, make_plan(lib.handle, problem, p.bias)).first;
  const auto& [operation, b, a, c, algorithm] = plan->second;
  if (p.bias) set(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
  for (int64_t i = 0; i < calls; ++i) {
    float* out = p.c.data + i * p.c.batch_stride[0];
    check(cublasLtMatmul(lib.handle, operation, &p.alpha, p.b.data + i * p.b.batch_stride[0], b,
                         p.a.data + i * p.a.batch_stride[0], a, &p.beta, out, c, out, c, &algorithm,
                         lib.workspace.data(), kWorkspace, static_cast<cudaStream_t>(stream.handle)),
          "cublasLtMatmul");
  }
}

}  // namespace gpt2::cuda
