#pragma once

#include "common/tensor/device.h"

// y[col * rows + row] = x[row * cols + col]. x is (rows, cols), y is (cols, rows); both are at least 1.
void transpose(gpt2::Stream stream, float* y, const float* x, int64_t rows, int64_t cols);
