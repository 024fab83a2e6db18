// The Euclidean norm of all gradients together. Gradient clipping compares it with its limit. G: float, or bf16 (since
// 15_bf16_weights).
//
// It has two parts: sums of squares, one for each chunk of 16,384 values, and the root of their sum. Of several ranks each
// can do the first for a part of the gradients (since 17_zero). The order of additions depends only on the number of
// values.
//
// since 10_adamw
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

inline constexpr int64_t kNormChunk = 16384;
inline int64_t norm_chunks(int64_t n) { return (n + kNormChunk - 1) / kNormChunk; }

FOR_CPU_AND_CUDA(
    // *norm = sqrt(sum of x[i]^2) over n values; workspace: (norm_chunks(n)).
    template <class G> void global_norm(Stream stream, float* norm, const G* x, float* workspace, int64_t n);

    // sums[c] = the sum of x[i]^2 over chunk c of n values; sums: (norm_chunks(n)).
    template <class G> void sum_squares(Stream stream, float* sums, const G* x, int64_t n);

    // *norm = sqrt(sum of `sums`)
    void root_of_sum(Stream stream, float* norm, const float* sums, int64_t chunks);)
}  // namespace gpt2
