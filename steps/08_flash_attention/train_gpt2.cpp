// Trains GPT-2 on a text, or overfits its first batch.
#include <fmt/core.h>

#include "common/app/inputs.h"
#include "common/app/log.h"
#include "common/app/memory_check.h"
#include "common/app/resolve.h"
#include "common/app/stopwatch.h"
#include "common/data/loader.h"
#include "common/ops/autocast.h"
#include "common/optim/adamw.h"
#include "gpt2.h"

namespace {

using Options = app::AttentionOptions;  // --attention and --deterministic are new

void train(GPT& model, DataLoaderLite& loader, const Options& options, app::Log& log) {
  const Device device = options.device();
  const DType dtype = app::autocast_dtype(options.dtype, device);
  const Attention attention(app::attention_kernels(options, device, dtype));
  const Precision precision(options.matmul_precision);
  optim::AdamW optimizer(model, {.lr = 3e-4});
  for (int64_t step = 0; step < options.steps; ++step) {
    const app::StopWatch watch(device);
    const MatmulTuning tuning(!options.deterministic);  // cuBLASLt times its algorithms, once for each shape
    if (options.overfit) loader.reset();
    const Autocast autocast(dtype);           // matrix products in bf16, everything else in float32
    const auto [x, y] = loader.next_batch();  // (B, T) ids and the ids that follow
    optimizer.zero_grad();
    const auto [logits, loss] = model(x, y);
    loss.backward();
    optimizer.step();
    log.step({.step = step, .loss = loss.item(), .ms = watch.ms(), .tokens = x.numel()});
  }
}

// The batch loader, and the configuration of the model.
struct Inputs {
  GPTConfig config;
  DataLoaderLite loader;
};

Inputs open_inputs(const Options& options) {
  const Device device = options.device();
  const std::string text = app::read_corpus(options.data);
  const auto tokenizer = app::make_tokenizer(options, text);
  const GPTConfig config = app::is_directory(options.model)
                               ? config_from(options.model)
                               : config_named(options.model, tokenizer->vocab_size());
  const auto [B, T] = options.batch_shape(config.block_size);
  app::check_memory<GPT>(device, config, B, T, options.dtype);
  DataLoaderLite loader(app::encode(*tokenizer, text, config.vocab_size), B, T, device);
  fmt::print("loaded {} tokens, 1 epoch = {} batches\n", loader.num_tokens(), loader.batches_per_epoch());
  return {config, std::move(loader)};
}

void run(app::CommandLine& flags) {
  Options options;
  options.add_to(flags);
  flags.parse();
  const Device device = options.device();
  app::resolve_model(options);
  Inputs inputs = open_inputs(options);
  nn::manual_seed(options.seed);
  GPT model(inputs.config);
  if (app::is_directory(options.model)) nn::load(model, options.model);
  model.to(device);
  app::Log log(options.log);
  log.config(options, model);
  train(model, inputs.loader, options, log);
  log.done(device);
  if (options.count) log.print_counts();
}

}  // namespace

int main(int argc, char** argv) { return app::run(GPT2_STEP, argc, argv, run); }
