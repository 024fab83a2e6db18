// Causal self-attention, and whose kernels compute it: ours, or cuDNN's where there are any.
//
// since 08_flash_attention
#pragma once

#include <string>

#include "common/tensor/device.h"
#include "common/tensor/dtype.h"
#include "common/tensor/tensor.h"

namespace gpt2 {

// Causal attention, softmax(q k^T / sqrt(hs), masked) v, without a T x T matrix in memory. q, k, v (B, nh, T, hs) in
// any strides, hs <= 128 -> (B, nh, T, hs); transpose(1, 2) of it is contiguous if hs is 32, 64, 80, 96 or 128.
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v);

// Why scaled_dot_product_attention cannot use cuDNN's kernels on this device and in this type; empty if it can.
std::string no_cudnn_attention(Device device, DType dtype);

}  // namespace gpt2
