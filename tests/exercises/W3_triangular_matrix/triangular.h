#pragma once

#include "common/tensor/tensor.h"

// (T, T): row t has 1 / (t + 1) in columns 0 ... t, and 0 in the others.
gpt2::Tensor past_weights(int64_t T);

// y[t] = the mean of x[0], ..., x[t]; x and y: (T, C).
gpt2::Tensor mean_of_past(const gpt2::Tensor& x);
