#pragma once

#include "common/tensor/tensor.h"

// max(x, 0)^2, element by element
gpt2::Tensor squared_relu(const gpt2::Tensor& x);
