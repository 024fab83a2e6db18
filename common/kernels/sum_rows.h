// Column sums: the gradient of a tensor that was added to every row (a bias, the position embeddings). X and Y:
// float or bf16. The sums are float; a bf16 y (since 15_bf16_weights) is rounded once, at the end.
//
// since 04_overfit
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // Floats of workspace that sum_rows needs.
    int64_t sum_rows_workspace(int64_t rows, int64_t cols);

    // y[j] = beta * y[j] + sum_i x[i, j]; x: (rows, cols), y: (cols). With beta 0, y is not read. The order of
    // additions depends only on the shape: the same input gives the same bits.
    template <class Y, class X>
    void sum_rows(Stream stream, Y* y, const X* x, float* workspace, int64_t rows, int64_t cols, float beta);)
}  // namespace gpt2
