#pragma once

#include "common/tensor/tensor.h"

// The mean cross entropy of logits (rows, V) against targets (rows), over the rows whose target is not `ignore_index`;
// 0 if there is no such row.
gpt2::Tensor cross_entropy_ignoring(const gpt2::Tensor& logits, const gpt2::Tensor& targets,
                                    int32_t ignore_index);
