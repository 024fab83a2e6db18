// Trains GPT-2 on a text, or overfits its first batch.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "common/app/inputs.h"
#include "common/app/log.h"
#include "common/app/memory_check.h"
#include "common/app/stopwatch.h"
#include "common/data/loader.h"
#include "common/ops/autocast.h"
#include "common/optim/adamw.h"
#include "gpt2.h"

namespace {

struct Options : app::Options {
  bool overfit = false;
  std::string matmul_precision = "high", dtype = "bf16";
  bool count = false;

  void add_to(app::CommandLine& flags) {
    app::Options::add_to(flags);
    flags.add("--overfit", overfit, "train on the first batch only");
    flags.add("--matmul-precision", matmul_precision, {"highest", "high", "medium"},
              "of float32 matrix products: all bits, TF32 (GPU), bf16");
    flags.add("--dtype", dtype, {"bf16", "fp32"}, "of matrix products; the rest and the weights are float32");
    flags.add("--count", count, "print what the last step called: kernels, and the bytes they touch");
  }
};

void run(app::CommandLine& flags) {
  Options options;
  options.add_to(flags);
  flags.parse();
  const Device device = options.on();
  const DType dtype = app::autocast_dtype(options.dtype, device);
  const bool pretrained = app::resolve_model(options);
  app::Log log(options.log);
  const std::string text = app::read_corpus(options.data);
  const auto tokenizer = app::make_tokenizer(options, text);
  const GPTConfig config =
      pretrained ? config_from(options.model) : config_named(options.model, tokenizer->vocab_size());
  const auto [B, T] = options.batch_shape(config.block_size);
  app::check_memory<GPT>(device, config, B, T, dtype);
  DataLoaderLite loader(app::encode(*tokenizer, text, config.vocab_size), B, T, device);
  fmt::print("loaded {} tokens, 1 epoch = {} batches\n", loader.num_tokens(), loader.batches_per_epoch());

  nn::manual_seed(options.seed);
  GPT model(config);
  if (pretrained) nn::load(model, options.model);
  model.to(device);
  log.config(options, model);

  const Precision precision(app::matmul_precision(options.matmul_precision));
  optim::AdamW optimizer(model, {.lr = 3e-4});
  for (int64_t step = 0; step < options.steps; ++step) {
    const app::StopWatch watch(device);
    const MatmulTuning tuning(true);  // a GPU's library tries its algorithms, once for each shape
    if (options.overfit) loader.reset();
    const Autocast autocast(dtype);           // matrix products in bf16, the rest in float32
    const auto [x, y] = loader.next_batch();  // (B, T) ids and the ids that follow
    optimizer.zero_grad();
    const auto [logits, loss] = model(x, y);
    loss.backward();
    optimizer.step();
    log.step({.step = step, .loss = loss.item(), .ms = watch.ms(), .tokens = B * T});
  }
  log.done(device);
  if (options.count) log.print_counts();
}

}  // namespace

int main(int argc, char** argv) { return app::run("07_fusion", argc, argv, run); }
