#pragma once

#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

// y[i] = x[i] / (1 + exp(-x[i])) for i = 0 ... n - 1; n is at least 1. x and y may begin at any even address.
void silu(gpt2::Stream stream, gpt2::bf16* y, const gpt2::bf16* x, int64_t n);
