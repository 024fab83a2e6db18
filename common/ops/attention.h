// Whose kernels compute attention: ours, or cuDNN's where there are any.
//
// since 08_flash_attention
#pragma once

#include <string>

#include "common/tensor/device.h"
#include "common/tensor/dtype.h"

namespace gpt2 {

// Why scaled_dot_product_attention cannot use cuDNN's kernels on this device and in this type; empty if it can.
std::string no_cudnn_attention(Device device, DType dtype);

}  // namespace gpt2
