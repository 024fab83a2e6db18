#include "common/app/options.h"

#include <algorithm>
#include <filesystem>

#include "common/base/error.h"
#include "common/kernels/cpu/gemm_bf16.h"
#include "common/ops/attention.h"

namespace gpt2::app {
namespace {

constexpr int64_t kMany = int64_t{1} << 40;

}  // namespace

void Options::add_to(CommandLine& flags) {
  flags.add("--device", device, "auto, cpu, cuda or cuda:N");
  flags.add("--model", model,
            "tiny, gpt2, gpt2-medium, gpt2-large, gpt2-xl, d12, or a Hugging Face directory");
  flags.add("--data", data,
            "tales (the embedded corpus), a text file, or (13_fineweb) token shards: 'GLOB.bin'");
  flags.add("--tokenizer", tokenizer, "byte, char, or a directory with vocab.bpe and encoder.json");
  flags.add("--seed", seed, "of the random numbers");
  flags.add("--steps", steps, 1, kMany, "optimizer steps (from 04_overfit on)");
  flags.add("--batch", batch, 1, kMany, "sequences in a batch (tiny: 4; else 16 on a GPU, 4 on a CPU)");
  flags.add("--seq", seq, 1, kMany, "tokens in a sequence (tiny: 64; else 1024 on a GPU, 256 on a CPU)");
  flags.add("--log", log, "a file for the log, one JSON object a line");
}

Options::BatchShape Options::batch_shape(int64_t block_size) const {
  require(seq <= block_size, "--seq {} is longer than the model's block size {}", seq, block_size);
  BatchShape shape = model == "tiny"  ? BatchShape{4, 64}
                     : on().is_cuda() ? BatchShape{16, 1024}
                                      : BatchShape{4, 256};
  if (batch > 0) shape.B = batch;
  shape.T = seq > 0 ? seq : std::min(shape.T, block_size);
  return shape;
}

DType autocast_dtype(const std::string& name, Device device) {
  const DType dtype = name == "bf16" ? DType::bf16 : DType::f32;
  if (dtype == DType::bf16 && device == kCpu && !cpu::has_gemm_bf16()) {
    fmt::print(
        "--dtype bf16: this processor has no instructions for it; values are rounded to bf16 and multiplied "
        "as float32, which is slower than --dtype fp32\n");
  }
  return dtype;
}

AttentionKernels attention_kernels(const std::string& name, Device device, DType dtype) {
  const std::string obstacle = no_cudnn_attention(device, dtype);
  require(name != "cudnn" || obstacle.empty(), "--attention cudnn: {}; use --attention own", obstacle);
  return name != "own" && obstacle.empty() ? AttentionKernels::cudnn : AttentionKernels::own;
}

int64_t total_batch(const std::string& model, int64_t given, Options::BatchShape shape, int ranks) {
  const int64_t wanted = given > 0 ? given : model == "tiny" ? 3072 : 524288;
  const int64_t at_once = shape.B * shape.T * ranks, below = wanted / at_once * at_once;
  if (below == wanted) return wanted;
  const int64_t above = below + at_once;
  const std::string factors = fmt::format("--batch {} x --seq {}{}", shape.B, shape.T,
                                          ranks > 1 ? fmt::format(" x {} ranks", ranks) : "");
  require(given == 0, "--total-batch {}: not a multiple of {} ({}); the nearest {} {}", given, at_once,
          factors, below > 0 ? "multiples are" : "multiple is",
          below > 0 ? fmt::format("{} and {}", below, above) : std::to_string(above));
  return above;
}

int64_t micro_batches(const Options& options, int64_t given, Options::BatchShape shape, int ranks) {
  const int64_t total = total_batch(options.model, given, shape, ranks);
  return total / (shape.B * shape.T * ranks);
}

MatmulPrecision matmul_precision(const std::string& name) {
  return name == "highest" ? MatmulPrecision::highest
         : name == "high"  ? MatmulPrecision::high
                           : MatmulPrecision::medium;
}

bool is_directory(const std::string& model) { return std::filesystem::is_directory(model); }

}  // namespace gpt2::app
