// What flags mean on the device that runs the program: data types, kernels, micro-batches.
//
// since 06_bf16
#pragma once

#include <optional>

#include "common/app/options.h"
#include "common/tensor/context.h"
#include "common/tensor/dtype.h"

namespace gpt2::app {

// The data type of matrix products: `dtype` itself. Prints a note if this processor has no bf16 instructions.
DType autocast_dtype(DType dtype, Device device);

// The attention kernels to use; by default cuDNN's if they are available. Throws if they are asked for and are not.
// since 08_flash_attention
AttentionKernels attention_kernels(std::optional<AttentionKernels> kernels, Device device, DType dtype);

// The tokens of an optimizer step on all ranks together: `given`, or if that is 0 a default (tiny: 3072, else 524288),
// rounded up to a multiple of what all ranks do at once, B x T x ranks. Throws if `given` is not a multiple of it.
// since 11_grad_accum
int64_t total_batch(const std::string& model, int64_t given, Options::BatchShape shape, int ranks);

// The number of micro-batches of each rank in an optimizer step of total_batch() tokens.   since 11_grad_accum
int64_t micro_batches(const Options& options, int64_t given, Options::BatchShape shape, int ranks = 1);

}  // namespace gpt2::app
