// Mean cross entropy of logits against target ids:
//   loss = mean over rows of log_sum_exp(logits[row]) - logits[row, target[row]]
//
// since 04_overfit
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // loss: one float; log_sum_exp: (rows), kept for the backward pass; losses: (rows), the loss of each row;
    // logits: (rows, V); targets: (rows), each in [0, V), checked by the caller on the host.
    void cross_entropy_forward(Stream stream, float* loss, float* losses, float* log_sum_exp,
                               const float* logits, const int32_t* targets, int64_t rows, int64_t V);

    // dlogits = (exp(logits - log_sum_exp) - [column = target]) * dloss / rows; dloss: one float on the stream's
    // device; dlogits may be logits.
    void cross_entropy_backward(Stream stream, float* dlogits, const float* logits, const float* log_sum_exp,
                                const int32_t* targets, const float* dloss, int64_t rows, int64_t V);)
}  // namespace gpt2
