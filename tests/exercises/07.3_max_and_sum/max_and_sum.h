#pragma once

#include "common/tensor/device.h"

// Of each row of V logits: largests[row] = the largest logit, sums[row] = the sum of exp(logit - largests[row]).
// If all logits of a row are -inf, these are -inf and 0. rows and V are at least 1; no logit is NaN or +inf.
void max_and_sum(gpt2::Stream stream, float* largests, float* sums, const float* logits, int64_t rows,
                 int64_t V);
