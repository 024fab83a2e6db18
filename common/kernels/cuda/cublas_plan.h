// A matrix product as cuBLASLt sees it, and the algorithms that cuBLASLt suggests for it.
//
// cuBLASLt works on column-major matrices, and the transpose of a row-major matrix is the same memory read
// column by column. So what is asked of it is C^T = B^T A^T: operands swapped, nothing copied.
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

// A batch of matrices as cuBLASLt sees them: rows * cols, column by column, `ld` from one to the next.
struct Columns {
  DType dtype;
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
  MatmulPrecision precision;
  Epilogue epilogue;
  int64_t bias_alignment, aux_alignment;  // bytes; 0: there is none

  auto operator<=>(const Problem&) const = default;
};

// A product is one call of cuBLASLt, which knows one batch dimension, or one for each step of the outer
// batch.
struct Calls {
  int64_t count;
  Problem each;
};
Calls calls_of(const Matmul& product);

// A problem in cuBLASLt's own objects. They are never destroyed: a plan lives as long as the process, and at
// its end the CUDA runtime may be gone.
struct Plan {
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t b = nullptr, a = nullptr, c = nullptr;
  cublasLtMatmulAlgo_t algorithm{};
  bool in_one = false;  // epilogue included; otherwise the product comes first, and then our kernel
};
Plan make_plan(const Problem& problem);

// Puts the product's bias and aux, which cuBLASLt looks up while it runs, into the plan.
void point_to(const Plan& plan, const Matmul& product);

// Up to `wanted` algorithms, what cuBLASLt thinks best first; none where it cannot do the epilogue. `plan`
// has been pointed to the product.
std::vector<cublasLtMatmulAlgo_t> suggestions(cublasLtHandle_t handle, const Problem& problem,
                                              const Plan& plan, int wanted);

}  // namespace gpt2::cuda
