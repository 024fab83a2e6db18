#include "common/app/options.h"

#include <algorithm>

#include "common/base/error.h"

namespace gpt2::app {
namespace {

constexpr int64_t kMany = int64_t{1} << 40;

}  // namespace

void Options::add_to(CommandLine& flags) {
  flags.add("--device", device_name, "auto, cpu, cuda or cuda:N");
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
  BatchShape shape = model == "tiny"      ? BatchShape{4, 64}
                     : device().is_cuda() ? BatchShape{16, 1024}
                                          : BatchShape{4, 256};
  if (batch > 0) shape.B = batch;
  shape.T = seq > 0 ? seq : std::min(shape.T, block_size);
  return shape;
}

void TrainingOptions::add_to(CommandLine& flags) {
  Options::add_to(flags);
  flags.add("--overfit", overfit, "train on the first batch only");
  flags.add("--count", count, "after the last step, list its kernel calls and the bytes they touch");
}

void RecipeOptions::add_to(CommandLine& flags) {
  flags.add("--max-lr", max_lr, 0, 1, "learning rate after the warm-up");
  flags.add("--min-lr", min_lr, 0, 1, "learning rate at the end (default: a tenth of --max-lr)");
  flags.add("--warmup", warmup, 0, kMany, "steps of linear warm-up");
  flags.add("--beta2", beta2, 0, 0.99999,
            "decay rate of AdamW's mean of squared gradients; nearer to 1 for small batches");
  flags.add("--weight-decay", weight_decay, 0, 1,
            "weight decay for matrices (biases and LayerNorm parameters are excluded)");
  flags.add("--grad-clip", grad_clip, 0, 1e9, "maximum global gradient norm; 0 disables clipping");
}

}  // namespace gpt2::app
