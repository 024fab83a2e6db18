// Looks up rows of a table by token id.
//
// since 01_module
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // y[i, :] = table[ids[i], :]; y: (n, C), table: (vocab, C), ids: (n), each in [0, vocab), checked by the
    // caller on the host.
    void embedding_forward(Stream stream, float* y, const float* table, const int32_t* ids, int64_t n,
                           int64_t C);

    // Floats of workspace that embedding_backward needs.
    int64_t embedding_backward_workspace(int64_t n, int64_t vocab, int64_t C);

    // dtable[v, :] = beta * dtable[v, :] + sum over i with ids[i] = v of dy[i, :]. The order of additions depends
    // only on the ids: the same input gives the same bits. With beta 0, dtable is not read, and every row is
    // written.
    void embedding_backward(Stream stream, float* dtable, const int32_t* ids, const float* dy,
                            float* workspace, int64_t n, int64_t vocab, int64_t C, float beta);)
}  // namespace gpt2
