// Causal self-attention, computed by our kernels or by cuDNN's if they are available.
//
// since 08_flash_attention
#pragma once

#include <string>

#include "common/tensor/device.h"
#include "common/tensor/dtype.h"
#include "common/tensor/tensor.h"

namespace gpt2 {

// Causal attention, softmax(q k^T / sqrt(hs), masked) v, without a T x T matrix in memory. q, k and v are
// (B, nh, T, hs) with any strides, hs <= 128. Returns (B, nh, T, hs); its transpose(1, 2) is contiguous if hs
// is 32, 64, 80, 96 or 128.
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v);

// Returns why scaled_dot_product_attention cannot use cuDNN's kernels on this device with this type, or an
// empty string if it can.
std::string no_cudnn_attention(Device device, DType dtype);

}  // namespace gpt2
