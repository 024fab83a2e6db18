// A matrix product as cuBLASLt sees it, and the algorithms that cuBLASLt suggests for it.
//
// cuBLASLt works on column-major matrices. A row-major matrix is the transpose of the column-major matrix in
// the same memory. So we ask for C^T = B^T A^T: the operands are swapped and nothing is copied.
//
// since 01_module
#pragma once

#include <cublasLt.h>

#include <compare>
#include <vector>

#include "common/kernels/matmul.h"

namespace gpt2::cuda {

inline constexpr size_t kCublasWorkspace = size_t{32} << 20;  // what NVIDIA recommends for Hopper

void check(cublasStatus_t status, const char* call);

// A batch of matrices as cuBLASLt sees them: rows x cols, column-major, with the leading dimension `ld`.
struct Columns {
  DType dtype;
  bool transposed;  // the product uses the transpose of this matrix
  int64_t rows, cols, ld;
  int64_t batch_stride;
  int64_t alignment;  // of every matrix's first element, in bytes

  auto operator<=>(const Columns&) const = default;
};

// Everything that the choice of an algorithm depends on.
struct Problem {
  Columns b, a, c;
  int64_t batch;
  MatmulPrecision precision;
  Epilogue epilogue;
  int64_t bias_alignment, aux_alignment;  // in bytes; 0: no bias, no aux
  bool alpha_on_device;

  auto operator<=>(const Problem&) const = default;
};

// A product is one call of cuBLASLt, or, because cuBLASLt has only one batch dimension, one call per index of
// the outer batch dimension.
struct Calls {
  int64_t count;
  Problem each;
};
Calls calls_of(const Matmul& product);

// A problem as cuBLASLt objects. They are never destroyed: a plan lives as long as the process, and the CUDA
// runtime may already be shut down when the process ends.
struct Plan {
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t b = nullptr, a = nullptr, c = nullptr;
  cublasLtMatmulAlgo_t algorithm{};
  bool in_one = false;  // cuBLASLt also computes the epilogue; otherwise our kernel does, after the product
};
Plan make_plan(const Problem& problem);

// Stores the product's pointers to bias and aux in the plan, where cuBLASLt reads them.
void point_to(const Plan& plan, const Matmul& product);

// Returns up to `wanted` algorithms, the one that cuBLASLt ranks best first; none if cuBLASLt cannot do the
// epilogue. Call point_to(plan, product) before.
std::vector<cublasLtMatmulAlgo_t> suggestions(cublasLtHandle_t handle, const Problem& problem,
                                              const Plan& plan, int wanted);

}  // namespace gpt2::cuda
