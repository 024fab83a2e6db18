#pragma once

#include "common/tensor/bf16.h"  // GPT2_HOST_DEVICE
#include "common/tensor/device.h"

// x with only the first `kept` (3 to 20) of its 23 bits of mantissa; the other d = 23 - kept bits are dropped. The
// result is the neighbour of x away from zero if the last d bits of `random`, added to them, make a carry;
// otherwise it is the neighbour towards zero. A NaN stays NaN, and infinity stays infinity.
GPT2_HOST_DEVICE float round_stochastically(float x, int kept, uint32_t random);

// The random bits for value i in a step: with group = i / 4, word i % 4 (a, b, c, d) of
// philox({lower half of group, upper half of group, step, 0}, seed).
GPT2_HOST_DEVICE uint32_t random_word(int64_t i, uint64_t seed, uint32_t step);

// For i = 0 ... n - 1: weights[i] + updates[i], summed in float and rounded stochastically, replaces weights[i].
void add_on_cpu(float* weights, const float* updates, int64_t n, int kept, uint64_t seed, uint32_t step);
void add_on_gpu(gpt2::Stream stream, float* weights, const float* updates, int64_t n, int kept, uint64_t seed,
                uint32_t step);
