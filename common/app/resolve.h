// Resolves flags for the current device: data types, kernels, micro-batches.
//
// since 06_bf16
#pragma once

#include <optional>

#include "common/app/options.h"
#include "common/tensor/context.h"
#include "common/tensor/dtype.h"

namespace gpt2::app {

// Returns the data type of matrix products: `dtype` itself, or float32 on a GPU without bf16. Prints a note if it does
// so, or if this CPU has no bf16 instructions.
DType autocast_dtype(DType dtype, Device device);

// The same without a note.
DType possible_dtype(DType dtype, Device device);

// Returns the attention kernels to use; by default cuDNN's if available. With --deterministic the backward pass is ours.
// Throws if cuDNN's are requested but not available.   since 08_flash_attention
AttentionKernels attention_kernels(const AttentionOptions& options, Device device, DType dtype);

// Returns the tokens per optimizer step on all ranks together: `given`, or, if `given` is 0, a default (tiny:
// 3072, else 524288) rounded up to a multiple of B x T x ranks, the tokens of one micro-batch on all ranks.
// Throws if `given` is not such a multiple.   since 11_grad_accum
int64_t total_batch(const std::string& model, int64_t given, Options::BatchShape shape, int ranks);

// Returns the number of micro-batches per rank in an optimizer step of total_batch() tokens.
// since 11_grad_accum
int64_t micro_batches(const Options& options, int64_t given, Options::BatchShape shape, int ranks = 1);

}  // namespace gpt2::app
