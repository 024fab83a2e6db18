// Resolves flags for the current device: data types, kernels, micro-batches.
//
// since 06_bf16
#pragma once

#include <optional>

#include "common/app/options.h"
#include "common/tensor/context.h"
#include "common/tensor/dtype.h"

namespace gpt2::app {

// Returns the data type of matrix products: `dtype` itself. Prints a note if this CPU has no bf16
// instructions.
DType autocast_dtype(DType dtype, Device device);

// Returns the attention kernels to use; by default cuDNN's if available. Throws if cuDNN's are requested but
// not available.   since 08_flash_attention
AttentionKernels attention_kernels(std::optional<AttentionKernels> kernels, Device device, DType dtype);

// Returns the number of micro-batches in --total-batch tokens (0: 3072 for the tiny model, else 524288).
// Throws unless it is an integer.   since 11_grad_accum
int64_t micro_batches(const Options& options, int64_t total_batch, int64_t tokens_of_micro_batch);

}  // namespace gpt2::app
