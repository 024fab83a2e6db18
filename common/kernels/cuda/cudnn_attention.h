// Attention by cuDNN, through cudnn-frontend: the same function as flash_attention.h, with the library's
// kernels for bf16. Read and written in place, as strides in the packed (B, T, 3C) buffer.
//
// A product of a shape is described to cuDNN as a graph, which takes it a moment to compile; so each is kept.
// Sums of the backward pass are added in a fixed order (its deterministic algorithm). Workspace comes from
// our heap.
//
// Only common/kernels/cuda/cudnn_attention.cpp knows cuDNN. A build without it has these functions too, and
// cudnn_attention_refusal says why they cannot be called.
//
// since 08_flash_attention
#pragma once

#include <string>

#include "common/kernels/flash_attention.h"

namespace gpt2::cuda {

bool cudnn_attention_available();  // whether this build has cuDNN

// Why cuDNN does not do attention of this shape on the stream's GPU, in packed buffers: q, k and v side by
// side in (B, T, 3C), y in (B, T, C), gradients alike. Empty if it does.
std::string cudnn_attention_refusal(Stream stream, const AttentionShape& shape);

// Arguments as those of flash_attention_forward and flash_attention_backward.
void cudnn_attention_forward(Stream stream, HeadsView<bf16> y, float* log_sum_exp, HeadsView<const bf16> q,
                             HeadsView<const bf16> k, HeadsView<const bf16> v, const AttentionShape& shape);
void cudnn_attention_backward(Stream stream, HeadsView<bf16> dq, HeadsView<bf16> dk, HeadsView<bf16> dv,
                              HeadsView<const bf16> dy, HeadsView<const bf16> y, const float* log_sum_exp,
                              HeadsView<const bf16> q, HeadsView<const bf16> k, HeadsView<const bf16> v,
                              const AttentionShape& shape);

}  // namespace gpt2::cuda
