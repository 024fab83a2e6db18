// The classifier: mean cross entropy of logits against target ids, as in cross_entropy.h. The logits are the
// largest tensor of the model. The forward pass reads them in the type of the last matrix product and keeps
// two numbers per row. The backward pass overwrites the logits with their gradient, so no second tensor of
// that size is needed.
//
// Rows have Vp columns: the first V are the vocabulary, the others are padding (09_vocab). The loss ignores
// the padding, and its gradient is 0. T: float or bf16; the arithmetic is float. Rows need not be aligned.
//
// since 07_fusion
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // loss: one float, the mean over rows of losses (rows); largest: (rows), max over j < V of logits[row, j];
    // log_sum: (rows), log of the sum over j < V of exp(logits[row, j] - largest[row]); logits: (rows, Vp);
    // targets: (rows), each in [0, V), checked by the caller on the host.
    template <class T>
    void fused_cross_entropy_forward(Stream stream, float* loss, float* losses, float* largest,
                                     float* log_sum, const T* logits, const int32_t* targets, int64_t rows,
                                     int64_t V, int64_t Vp);

    // In place: logits[row, j] = (exp(logits[row, j] - largest[row] - log_sum[row]) - [j = target]) * dloss /
    // rows for j < V, 0 beyond; dloss: one float on the stream's device.
    template <class T>
    void fused_cross_entropy_backward(Stream stream, T* logits, const float* largest, const float* log_sum,
                                      const int32_t* targets, const float* dloss, int64_t rows, int64_t V,
                                      int64_t Vp);)
}  // namespace gpt2
