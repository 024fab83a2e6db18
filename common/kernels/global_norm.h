// The Euclidean norm of all gradients together. Gradient clipping compares it with its limit.
//
// since 10_adamw
#pragma once

#include "common/tensor/device.h"

namespace gpt2 {

namespace cpu {

// Floats of workspace that global_norm needs.
int64_t global_norm_workspace(int64_t n);

// *norm = sqrt(sum of x[i]^2) over n values. The order of additions depends only on n.
void global_norm(Stream stream, float* norm, const float* x, float* workspace, int64_t n);

}  // namespace cpu

namespace cuda {

int64_t global_norm_workspace(int64_t n);
void global_norm(Stream stream, float* norm, const float* x, float* workspace, int64_t n);

}  // namespace cuda
}  // namespace gpt2
