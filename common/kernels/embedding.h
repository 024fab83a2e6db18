// Looks up rows of a table by token id. T is the type of the table, of the rows and of all gradients: float, or bf16
// (since 15_bf16_weights), whose sums are float.
//
// since 01_module
#pragma once

#include "common/kernels/processors.h"
#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

FOR_CPU_AND_CUDA(
    // y[i, :] = table[ids[i], :]; y: (n, C), table: (vocab, C), ids: (n), each in [0, vocab), checked by the
    // caller on the host.
    template <class T>
    void embedding_forward(Stream stream, T* y, const T* table, const int32_t* ids, int64_t n, int64_t C);

    // Floats of workspace that embedding_backward needs.
    int64_t embedding_backward_workspace(int64_t n, int64_t vocab, int64_t C);

    // dtable[v, :] = beta * dtable[v, :] + sum over i with ids[i] = v of dy[i, :]. The order of additions depends
    // only on the ids: the same input gives the same bits. With beta 0, dtable is not read, and every row is
    // written.
    template <class T>
    void embedding_backward(Stream stream, T* dtable, const int32_t* ids, const T* dy, float* workspace,
                            int64_t n, int64_t vocab, int64_t C, float beta);)
}  // namespace gpt2
