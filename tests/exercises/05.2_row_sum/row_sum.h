#pragma once

#include "common/tensor/device.h"

// sums[row] = the sum of the squares of x[row * cols] ... x[row * cols + cols - 1]; rows and cols are at least 1.
void row_sum(gpt2::Stream stream, float* sums, const float* x, int64_t rows, int64_t cols);
