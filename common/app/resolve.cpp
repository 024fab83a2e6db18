#include "common/app/resolve.h"

#include <fmt/core.h>

#include "common/base/error.h"
#include "common/kernels/cpu/gemm_bf16.h"
#include "common/ops/attention.h"

namespace gpt2::app {

DType autocast_dtype(DType dtype, Device device) {
  if (dtype == DType::bf16 && device == kCpu && !cpu::has_gemm_bf16()) {
    fmt::print(
        "--dtype bf16: this processor has no instructions for it; values are rounded to bf16 and multiplied "
        "as float32, which is slower than --dtype fp32\n");
  }
  return dtype;
}

AttentionKernels attention_kernels(std::optional<AttentionKernels> kernels, Device device, DType dtype) {
  const std::string obstacle = no_cudnn_attention(device, dtype);
  require(kernels != AttentionKernels::cudnn || obstacle.empty(),
          "--attention cudnn: {}; use --attention own", obstacle);
  return kernels.value_or(obstacle.empty() ? AttentionKernels::cudnn : AttentionKernels::own);
}

int64_t micro_batches(const Options& options, int64_t total_batch, int64_t tokens_of_micro_batch) {
  const int64_t total = total_batch > 0 ? total_batch : options.model == "tiny" ? 3072 : 524288;
  require(total % tokens_of_micro_batch == 0,
          "--total-batch {}: not a multiple of the {} tokens of a micro-batch (--batch times --seq)", total,
          tokens_of_micro_batch);
  return total / tokens_of_micro_batch;
}

}  // namespace gpt2::app
