// Causal attention without its T x T matrix (Dao 2023, FlashAttention-2):
//   y = softmax over j <= i of (scale * q_i . k_j) v
// A tile of queries is multiplied with the keys tile by tile. As in online softmax (Milakov & Gimelshein
// 2018), each tile updates the largest score and the sum of exponentials, and the output so far is rescaled
// to the new largest score. The backward pass computes the scores again from q, k and the log-sum-exp of each
// row. Memory grows with T, not with T^2.
//
// q, k, v and their gradients are read and written in place in the packed (B, T, 3C) buffer, where each head
// is a strided view; nothing is permuted or copied. T: float or bf16. Scores, sums and gradients are
// accumulated in float, in an order that depends only on the shape: the same input gives the same bits. The
// number of positions is arbitrary; for head sizes see flash_attention_supports.
//
// since 08_flash_attention
#pragma once

#include <type_traits>

#include "common/kernels/processors.h"
#include "common/tensor/bf16.h"
#include "common/tensor/device.h"

namespace gpt2 {

// A view of (B, heads, T, hs) values in memory that the caller owns: element (b, h, t, c) is
// data[b * batch_stride + h * head_stride + t * row_stride + c].
template <class T>
struct HeadsView {
  T* data;
  int64_t batch_stride, head_stride, row_stride;
};

struct AttentionShape {
  int64_t B, heads, T, hs;
  float scale;  // 1 / sqrt(hs); positive
};

// The head size is a compile-time constant of a kernel, because it determines the use of registers. If
// kernels for hs exist, calls body(std::integral_constant<int64_t, hs>()) and returns true; otherwise returns
// false.
template <class Body>
bool for_head_size(int64_t hs, const Body& body) {
  const auto try_size = [&](auto size) {
    if (hs == size) body(size);
    return hs == size;
  };
  return try_size(std::integral_constant<int64_t, 32>()) || try_size(std::integral_constant<int64_t, 64>()) ||
         try_size(std::integral_constant<int64_t, 80>()) || try_size(std::integral_constant<int64_t, 96>()) ||
         try_size(std::integral_constant<int64_t, 128>());
}

FOR_CPU_AND_CUDA(
    // Whether this device has kernels for this head size: 32, 64, 80, 96 and 128.
    bool flash_attention_supports(int64_t hs);

    // y: (B, heads, T, hs); log_sum_exp: (B, heads, T), contiguous: log of the sum over j <= i of
    // exp(scale * q_i . k_j), kept for the backward pass.
    template <class T>
    void flash_attention_forward(Stream stream, HeadsView<T> y, float* log_sum_exp, HeadsView<const T> q,
                                 HeadsView<const T> k, HeadsView<const T> v, const AttentionShape& shape);

    // Floats of workspace that flash_attention_backward needs.
    int64_t flash_attention_workspace(const AttentionShape& shape);

    // dq, dk, dv are written, never read; they must not overlap each other or q, k, v.
    template <class T>
    void flash_attention_backward(Stream stream, HeadsView<T> dq, HeadsView<T> dk, HeadsView<T> dv,
                                  HeadsView<const T> dy, HeadsView<const T> y, const float* log_sum_exp,
                                  HeadsView<const T> q, HeadsView<const T> k, HeadsView<const T> v,
                                  float* workspace, const AttentionShape& shape);)
}  // namespace gpt2
