// Model FLOPs utilisation (Chowdhery et al. 2022, appendix B): the arithmetic of the model's matrix products, over what
// the devices could do at best in that time.
//
// Only a GPU's peak is known, from its data sheet (tests/bench/gpu_peaks.json); the peak of a CPU would have to be
// measured, which takes seconds that a training program does not spend. ./course timing does.
//
// since 04_overfit
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/nn/module.h"
#include "common/tensor/context.h"
#include "common/tensor/dtype.h"

namespace gpt2::app {

extern const char* const kGpuPeaks;  // the text of gpu_peaks.json

// Floating-point operations of training on one token: 6 (12 L C^2 + V C) + 12 L C T. V counts all rows of the output
// layer, padding included.
double flops_per_token(const nn::Module& model, int64_t T);

// FLOP/s of the GPU with this name in this arithmetic ("fp32", "tf32" or "bf16"); nullopt if its data sheet is not known.
std::optional<double> peak_flops(const std::string& gpu, const std::string& arithmetic);

// In what the matrix products of a step's program multiply on a GPU, by --matmul-precision and --dtype if it has them.
template <class StepOptions>
std::string arithmetic_of(const StepOptions& options) {
  if constexpr (requires { options.dtype; }) {
    if (options.dtype == DType::bf16) return "bf16";
  }
  if constexpr (requires { options.matmul_precision; }) {
    if (options.matmul_precision == MatmulPrecision::high) return "tf32";
    if (options.matmul_precision == MatmulPrecision::medium) return "bf16";
  }
  return "fp32";
}

}  // namespace gpt2::app
