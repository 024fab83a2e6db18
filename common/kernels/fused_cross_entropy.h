// The classifier: mean cross entropy of logits against target ids, as in cross_entropy.h. The logits are the
// largest tensor of the model. They are read in the type of the last matrix product. In training one kernel
// computes the loss and writes the gradient over the logits, so that memory is read once and written once, and no
// second tensor of that size is needed.
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
    // loss: one float, the mean over rows of losses (rows); logits: (rows, Vp); targets: (rows), each in [0, V),
    // checked by the caller on the host.
    template <class T>
    void fused_cross_entropy_forward(Stream stream, float* loss, float* losses, const T* logits,
                                     const int32_t* targets, int64_t rows, int64_t V, int64_t Vp);

    // The same, and the logits become the gradient of the loss with respect to them: logits[row, j] =
    // (exp(logits[row, j] - log of the sum over k < V of exp(logits[row, k])) - [j = target]) / rows for j < V, 0
    // beyond.
    template <class T>
    void fused_cross_entropy_gradient(Stream stream, float* loss, float* losses, T* logits,
                                      const int32_t* targets, int64_t rows, int64_t V, int64_t Vp);)
}  // namespace gpt2
