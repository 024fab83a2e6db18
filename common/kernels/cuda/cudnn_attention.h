// Attention by cuDNN, through cudnn-frontend: the same function as flash_attention.h, with the library's
// kernels for bf16. It reads and writes strided views of the packed (B, T, 3C) buffer in place.
//
// cuDNN needs a graph for each shape. Compiling a graph takes half a second, so each graph is kept, and none is
// compiled before it is needed. The backward pass adds in any order: cuDNN's deterministic algorithm is slower and keeps
// a T x T workspace, so --deterministic uses our backward pass instead. Workspace comes from our heap.
//
// Only common/kernels/cuda/cudnn_attention.cpp includes cuDNN. A build without cuDNN also has these
// functions; cudnn_attention_refusal then says why they cannot be called.
//
// since 08_flash_attention
#pragma once

#include <string>

#include "common/kernels/flash_attention.h"

namespace gpt2::cuda {

bool cudnn_attention_available();  // whether this build has cuDNN

// Returns why cuDNN does not support attention of this shape on the stream's GPU, or an empty string if it
// does; with `backward`, its backward pass too. The buffers are packed: q, k and v side by side in (B, T, 3C), y in (B, T, C), and the gradients
// likewise.
std::string cudnn_attention_refusal(Stream stream, const AttentionShape& shape, bool backward);

// The arguments are the same as those of flash_attention_forward and flash_attention_backward.
void cudnn_attention_forward(Stream stream, HeadsView<bf16> y, float* log_sum_exp, HeadsView<const bf16> q,
                             HeadsView<const bf16> k, HeadsView<const bf16> v, const AttentionShape& shape);
void cudnn_attention_backward(Stream stream, HeadsView<bf16> dq, HeadsView<bf16> dk, HeadsView<bf16> dv,
                              HeadsView<const bf16> dy, HeadsView<const bf16> y, const float* log_sum_exp,
                              HeadsView<const bf16> q, HeadsView<const bf16> k, HeadsView<const bf16> v,
                              const AttentionShape& shape);

}  // namespace gpt2::cuda
