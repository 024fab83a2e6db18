#pragma once

#include "common/tensor/device.h"

// y = (x * r) * (1 + weight) in float, rounded after each of the three operations. y, x: (rows, C); r: (rows), one number for
// each row; weight: (C); rows and C are at least 1.
void rms_norm_again(gpt2::Stream stream, float* y, const float* x, const float* r, const float* weight,
                    int64_t rows, int64_t C);
