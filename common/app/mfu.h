// Model FLOPs utilisation (Chowdhery et al. 2022, appendix B): the floating-point operations of the model's
// matrix products, divided by the devices' peak in the same time.
//
// A GPU's peak comes from its data sheet (common/app/gpu_peaks.json). A CPU's peak must be measured, which
// takes seconds: ./course timing does that, a training program does not.
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

// Returns the floating-point operations of training on one token: 6 (12 L C^2 + V C) + 12 L C T. V counts all
// rows of the output layer, padding included.
double flops_per_token(const nn::Module& model, int64_t T);

// Returns the peak FLOP/s of the GPU with this name in this arithmetic ("fp32", "tf32" or "bf16"); nullopt if
// its data sheet is not known.
std::optional<double> peak_flops(const std::string& gpu, const std::string& arithmetic);

// A GPU that --plan knows.   since 17_zero
struct Card {
  std::string name;  // nvidia-smi's
  double memory;     // bytes
  double bandwidth;  // bytes/s
};

// Returns the card with this short name ("h100"). Throws if it is not known; the message lists those that are.
Card card_named(const std::string& name);

// Returns the arithmetic of a step's matrix products on a GPU, from --matmul-precision and --dtype if the
// step has them.
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
