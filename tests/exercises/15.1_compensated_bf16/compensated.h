#pragma once

#include <cstdint>

#include "common/tensor/bf16.h"

// One step of SGD: n weights w, which w - c makes more exact, move by -lr g. Without random numbers, and without float32
// or double copies of the weights.
void compensated_sgd(gpt2::bf16* w, gpt2::bf16* c, const float* g, int64_t n, float lr);
