#include "common/app/resolve.h"

#include <fmt/core.h>

#include <array>

#include "common/base/error.h"
#include "common/base/number.h"
#include "common/kernels/cpu/gemm_bf16.h"
#include "common/ops/attention.h"

namespace gpt2::app {

DType possible_dtype(DType dtype, Device device) {
  return device.is_cuda() && backend(device).compute_capability() < kAmpere ? DType::f32 : dtype;
}

DType autocast_dtype(DType dtype, Device device) {
  if (possible_dtype(dtype, device) != dtype) {
    fmt::print("--dtype bf16: {} has no bf16 arithmetic; --dtype fp32 is used\n", backend(device).name());
    return DType::f32;
  }
  if (dtype == DType::bf16 && device == kCpu && !cpu::has_gemm_bf16()) {
    fmt::print(
        "--dtype bf16: this processor has no instructions for it; values are rounded to bf16 and multiplied "
        "as float32, which is slower than --dtype fp32\n");
  }
  return dtype;
}

AttentionKernels attention_kernels(const AttentionOptions& options, Device device, DType dtype) {
  const std::string obstacle = no_cudnn_attention(device, dtype);
  require(options.attention != AttentionKernels::cudnn || obstacle.empty(),
          "--attention cudnn: {}; use --attention own", obstacle);
  if (options.attention == AttentionKernels::own || !obstacle.empty()) return AttentionKernels::own;
  return options.deterministic ? AttentionKernels::cudnn_forward : AttentionKernels::cudnn;
}

int64_t total_batch(const std::string& model, int64_t given, Options::BatchShape shape, int ranks) {
  const int64_t wanted = given > 0 ? given : model == "tiny" ? 3072 : 524288;
  const std::string factors = fmt::format("--batch {} x --seq {}{}", shape.B, shape.T,
                                          ranks > 1 ? fmt::format(" x {} ranks", ranks) : "");
  constexpr int64_t kMost = int64_t{1} << 60;  // the sum of two of these does not overflow
  const int64_t at_once = product(std::array<int64_t, 3>{shape.B, shape.T, ranks}).value_or(kMost + 1);
  require(at_once <= kMost, "{}: more tokens at once than any memory holds; use a smaller --batch", factors);
  const int64_t below = wanted / at_once * at_once;
  if (below == wanted) return wanted;
  const int64_t above = below + at_once;
  require(given == 0, "--total-batch {}: not a multiple of {} ({}); the nearest {} {}", given, at_once,
          factors, below > 0 ? "multiples are" : "multiple is",
          below > 0 ? fmt::format("{} and {}", below, above) : std::to_string(above));
  return above;
}

int64_t micro_batches(const Options& options, int64_t given, Options::BatchShape shape, int ranks) {
  const int64_t total = total_batch(options.model, given, shape, ranks);
  return total / (shape.B * shape.T * ranks);
}

}  // namespace gpt2::app
