#include "common/app/options.h"

#include <algorithm>

#include "common/base/error.h"

namespace gpt2::app {
namespace {

constexpr int64_t kMany = int64_t{1} << 40;

}  // namespace

void Options::add_to(CommandLine& flags) {
  flags.add("--device", device_name, "device to run on: auto, cpu, cuda, or cuda:1 for the second GPU")
      .placeholder("DEVICE");
  flags.add("--seed", seed, "seed of the random number generator");
  flags.add("--log", log, "file for the log, one JSON object per line")
      .placeholder("FILE")
      .default_text("no log")
      .output(OutputKind::log);
  flags.group("Model and data");
  flags
      .add("--model", model,
           "tiny, gpt2, gpt2-medium, gpt2-large, gpt2-xl, d12, from 02_hf_weights on d24, d36, d48 (llm.c's "
           "names of the "
           "same sizes), from 13_fineweb on baby (nanoGPT's small model), or from 02_hf_weights on a Hugging "
           "Face "
           "directory, the folder of a run, whose newest checkpoint is taken, or llm.c's model file NAME.bin")
      .placeholder("MODEL")
      .input();
  flags
      .add("--data", data,
           "text to read: tales (the built-in corpus), a text file, or from 13_fineweb on token shards: "
           "'GLOB.bin', FILE.npy")
      .placeholder("DATA")
      .input();
  flags
      .add("--tokenizer", tokenizer,
           "byte, char, or a directory with vocab.bpe and encoder.json, or merges.txt and vocab.json, or "
           "tokenizer.json (byte-level BPE)")
      .placeholder("TOKENIZER")
      .input()
      .default_text("the model directory's own; GPT-2's for llm.c's model file; byte for a model size");
  flags.add(
      "--special-tokens", special_tokens, {{"on", true}, {"off", false}},
      "on: <|endoftext|> in a text or prompt is the one token that separates documents, and added tokens "
      "are tokens; off: both are ordinary text");
  flags.add("--batch", batch, 1, kMany, "sequences per batch")
      .default_text("4 for tiny; else 16 on a GPU, 4 on a CPU");
  flags.add("--seq", seq, 1, kMany, "tokens per sequence")
      .default_text("64 for tiny; else 1024 on a GPU, 256 on a CPU");
  flags.group("Training");
  flags.add("--steps", steps, 1, kMany, "optimizer steps; 01 to 03 do not train and ignore it");
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
  flags.add("--count", count,
            "after the last step, list its kernel calls and the bytes that they read and write");
}

void PrecisionOptions::add_to(CommandLine& flags) {
  TrainingOptions::add_to(flags);
  flags.add("--matmul-precision", matmul_precision,
            {{"highest", MatmulPrecision::highest},
             {"high", MatmulPrecision::high},
             {"medium", MatmulPrecision::medium}},
            "precision of float32 matrix products: full, TF32 (GPU), bf16 inputs");
}

void AutocastOptions::add_to(CommandLine& flags) {
  PrecisionOptions::add_to(flags);
  flags.add("--dtype", dtype, {{"bf16", DType::bf16}, {"fp32", DType::f32}},
            "data type of matrix products; everything else stays float32");
}

void AttentionOptions::add_to(CommandLine& flags) {
  AutocastOptions::add_to(flags);
  flags
      .add("--attention", attention, {{"own", AttentionKernels::own}, {"cudnn", AttentionKernels::cudnn}},
           "attention kernels: ours or cuDNN's")
      .default_text("cudnn if available");
  flags.add("--deterministic", deterministic,
            "the same bits in every run on the same GPU, at some cost in speed; a CPU always computes the "
            "same bits");
}

void RecipeOptions::add_to(CommandLine& flags) {
  AttentionOptions::add_to(flags);
  flags.group("Recipe");
  flags.add("--max-lr", max_lr, 0, 1, "learning rate after the warm-up");
  flags.add("--min-lr", min_lr, 0, 1, "learning rate at the end")
      .default_text("a tenth of --max-lr")
      .at_most("--max-lr");
  flags.add("--warmup", warmup, 0, kMany, "steps of linear warm-up");
  flags.add("--beta2", beta2, 0, 0.99999,
            "decay rate of AdamW's mean of squared gradients; nearer to 1 for small batches");
  flags.add("--weight-decay", weight_decay, 0, 1,
            "weight decay for matrices (biases and LayerNorm parameters are excluded)");
  flags.add("--grad-clip", grad_clip, 0, 1e9, "maximum global gradient norm; 0 disables clipping");
}

void AccumulationOptions::add_to(CommandLine& flags) {
  RecipeOptions::add_to(flags);
  flags.add("--total-batch", total_batch, 1, kMany, "tokens per optimizer step")
      .default_text("3072 for tiny; else 524288");
}

void RankOptions::add_to(CommandLine& flags) {
  AccumulationOptions::add_to(flags);
  flags.group("Many processes");
  flags.add("--rendezvous-port", rendezvous_port, 1, 65535, "port on which ranks started by torchrun meet")
      .default_text("MASTER_PORT + 1");
}

}  // namespace gpt2::app
