#include "common/app/options.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/kernels/cpu/gemm_bf16.h"
#include "common/ops/attention.h"
#include "data/tales/tales.h"

namespace gpt2::app {
namespace {

constexpr size_t kTalesBytes = 4'000'000;  // as much of the endless stream as a run without --data reads
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

std::string read_corpus(const std::string& data, const std::string& flag) {
  if (data == "tales") return tales(kTalesBytes);
  const MappedFile file(data);
  require(!file.text().empty(), "{} {}: the file is empty", flag, data);
  return std::string(file.text());
}

std::unique_ptr<Tokenizer> make_tokenizer(const Options& options, const std::string& corpus) {
  const bool beside_weights = options.tokenizer.empty() && has_tokenizer(options.model);
  const std::string spec = beside_weights              ? options.model
                           : options.tokenizer.empty() ? "byte"
                                                       : options.tokenizer;
  return gpt2::make_tokenizer(spec, corpus);
}

std::vector<int32_t> encode(const Tokenizer& tokenizer, const std::string& text, int64_t vocab_size) {
  require(tokenizer.vocab_size() <= vocab_size,
          "--tokenizer: it has {} ids, the model's vocabulary only {}; give the model's own tokenizer",
          tokenizer.vocab_size(), vocab_size);
  return tokenizer.encode(text);
}

std::vector<int32_t> parse_ids(const std::string& flag, const std::string& text, int64_t vocab_size) {
  std::vector<int32_t> ids;
  for (const char *at = text.data(), *end = at + text.size();; ++at) {
    int32_t id = -1;
    const auto [stop, error] = std::from_chars(at, end, id);
    require(error == std::errc() && id >= 0 && id < vocab_size && (stop == end || *stop == ','),
            "{} {}: expected ids from 0 to {}, separated by commas", flag, text, vocab_size - 1);
    ids.push_back(id);
    if (stop == end) return ids;
    at = stop;
  }
}

Tensor first_batch(const Options& options, std::vector<int32_t> ids, int64_t block_size) {
  const auto [B, T] = options.batch_shape(block_size);
  require(int64_t(ids.size()) / T >= B,
          "--data {}: {} tokens do not fill a batch of {} x {}; use a smaller --batch or --seq", options.data,
          ids.size(), B, T);
  ids.resize(size_t(B * T));
  return from_vector(ids, {B, T}, options.on());
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

int64_t micro_batches(const Options& options, int64_t total_batch, int64_t tokens_of_micro_batch) {
  const int64_t total = total_batch > 0 ? total_batch : options.model == "tiny" ? 3072 : 524288;
  require(total % tokens_of_micro_batch == 0,
          "--total-batch {}: not a multiple of the {} tokens of a micro-batch (--batch times --seq)", total,
          tokens_of_micro_batch);
  return total / tokens_of_micro_batch;
}

MatmulPrecision matmul_precision(const std::string& name) {
  return name == "highest" ? MatmulPrecision::highest
         : name == "high"  ? MatmulPrecision::high
                           : MatmulPrecision::medium;
}

bool is_directory(const std::string& model) { return std::filesystem::is_directory(model); }

}  // namespace gpt2::app
