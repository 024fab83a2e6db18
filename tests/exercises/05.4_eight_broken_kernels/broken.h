#pragma once

#include "common/tensor/device.h"

// All sizes are at least 1. Matrices are dense: row r of (rows, cols) begins at r * cols.

// y[i] = a * x[i] for n values.
void scale(gpt2::Stream stream, float* y, const float* x, float a, int64_t n);

// y[i] = a[i] + b[i] for n values.
void add(gpt2::Stream stream, float* y, const float* a, const float* b, int64_t n);

// sums[r] = the sum of row r of x (rows, cols).
void row_sum(gpt2::Stream stream, float* sums, const float* x, int64_t rows, int64_t cols);

// largest[r] = the largest value of row r of x (rows, cols).
void row_max(gpt2::Stream stream, float* largest, const float* x, int64_t rows, int64_t cols);

// y[i] = x[i] - x[i - 1] for n values, and y[0] = x[0].
void differences(gpt2::Stream stream, float* y, const float* x, int64_t n);

// y = x minus the mean of its row; both are (rows, cols).
void center(gpt2::Stream stream, float* y, const float* x, int64_t rows, int64_t cols);

// y (rows, padded): row r of x (rows, cols), then zeros. padded is a multiple of 4 and at least cols.
void pad_rows(gpt2::Stream stream, float* y, const float* x, int64_t rows, int64_t cols, int64_t padded);

// y = the softmax of each row of x; both are (rows, cols).
void softmax(gpt2::Stream stream, float* y, const float* x, int64_t rows, int64_t cols);
