#pragma once

#include "common/tensor/device.h"

// y[i] = x[i] / (1 + |x[i]|) for i = 0 ... n - 1; n is at least 1.
void softsign(gpt2::Stream stream, float* y, const float* x, int64_t n);
