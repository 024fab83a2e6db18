#pragma once

#include "common/tensor/device.h"

// Causal attention of each head: y[t] = the mean of v[0] ... v[t], weighted with the softmax of scales[t] * (q[t] . k[j]).
// q, k, v and y are (heads, T, 48), scales is (heads, T); the scales may be negative. heads and T are at least 1.
void flash_forward(gpt2::Stream stream, float* y, const float* q, const float* k, const float* v,
                   const float* scales, int64_t heads, int64_t T);
