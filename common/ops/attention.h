// Causal self-attention, and whose kernels compute it: ours, or cuDNN's where there are any.
//
// since 08_flash_attention
#pragma once

#include <string>

#include "common/tensor/device.h"
#include "common/tensor/dtype.h"
#include "common/tensor/tensor.h"

namespace gpt2 {

// Causal attention, softmax(q k^T / sqrt(hs), masked) v, without a T x T matrix in memory. q, k, v (B, nh, T, hs),
// strides as they come -> (B, nh, T, hs), laid out so that its transpose(1, 2) is contiguous.
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v);

// Why scaled_dot_product_attention cannot use cuDNN's kernels on this device and in this type; empty if it can.
std::string no_cudnn_attention(Device device, DType dtype);

}  // namespace gpt2
