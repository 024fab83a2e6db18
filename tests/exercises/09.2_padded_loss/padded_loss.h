#pragma once

#include "common/tensor/tensor.h"

// The mean cross entropy, with label smoothing, of the first V columns of logits (rows, Vp) against targets
// (rows), each below V. 0 <= smoothing < 1. The columns from V on may hold anything; their gradient is 0.
gpt2::Tensor padded_loss(const gpt2::Tensor& logits, const gpt2::Tensor& targets, int64_t V, float smoothing);
