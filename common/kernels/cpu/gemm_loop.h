// The matrix product for builds without oneDNN: C = alpha A B + beta C for one matrix, in plain loops. It
// works everywhere but is several times slower than the library. The tests compare both with the same oracle.
//
// since 01_module
#pragma once

#include "common/kernels/matmul.h"

namespace gpt2::cpu {

// Shapes and strides as in Matmul. Uses OpenMP unless called in a parallel region.
void gemm_loop(const ConstMatrixView& a, const ConstMatrixView& b, const MatrixView& c, float alpha,
               float beta);

}  // namespace gpt2::cpu
