// Trains GPT-2 on a text, or overfits its first batch.
#include <fmt/core.h>

#include <cmath>
#include <numbers>

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

using Options = app::AccumulationOptions;  // --total-batch is new

// The learning rate of a step, as in GPT-3: linear warm-up, then a half cosine down to min_lr.
double get_lr(int64_t step, const Options& options) {
  const double max_lr = options.max_lr, min_lr = options.min_lr.value_or(max_lr / 10);
  if (step < options.warmup)
    return max_lr * double(step + 1) / double(options.warmup);  // + 1: step 0 trains too
  if (step >= options.steps) return min_lr;                     // as in the video; the loop ends before that
  const double decay_ratio = double(step - options.warmup) / double(options.steps - options.warmup);
  const double coeff = 0.5 * (1 + std::cos(std::numbers::pi * decay_ratio));  // from 1 to 0
  return min_lr + coeff * (max_lr - min_lr);
}

// Weight decay is for matrices and embeddings, not for the one-dimensional biases and LayerNorm parameters.
optim::AdamW configure_optimizers(const GPT& model, const Options& options) {
  std::vector<Tensor> decayed, not_decayed;
  for (const auto& [name, p] : model.named_parameters()) {
    if (p->dim() >= 2)
      decayed.push_back(*p);
    else
      not_decayed.push_back(*p);
  }
  const auto print = [](const char* which, const std::vector<Tensor>& tensors) {
    int64_t parameters = 0;
    for (const Tensor& tensor : tensors) parameters += tensor.numel();
    fmt::print("{} tensors: {}, with {} parameters\n", which, tensors.size(), parameters);
  };
  print("decayed", decayed);
  print("non-decayed", not_decayed);
  return optim::AdamW({decayed, options.weight_decay}, {not_decayed, 0},
                      {.beta1 = 0.9, .beta2 = options.beta2, .eps = 1e-8});  // the loop sets lr
}

void train(GPT& model, DataLoaderLite& loader, int64_t grad_accum_steps, const Options& options,
           app::Log& log) {
  const Device device = options.device();
  const DType dtype = app::autocast_dtype(options.dtype, device);
  const Attention attention(app::attention_kernels(options, device, dtype));
  const Precision precision(options.matmul_precision);
  optim::AdamW optimizer = configure_optimizers(model, options);
  const int64_t tokens = loader.B() * loader.T() * grad_accum_steps;  // per step
  for (int64_t step = 0; step < options.steps; ++step) {
    const app::StopWatch watch(device);
    const MatmulTuning tuning(!options.deterministic);  // cuBLASLt times its algorithms, once for each shape
    if (options.overfit) loader.reset();
    const Autocast autocast(dtype);  // matrix products in bf16, everything else in float32
    optimizer.zero_grad();
    Tensor loss_accum = zeros({}, device);
    for (int64_t micro_step = 0; micro_step < grad_accum_steps; ++micro_step) {
      const auto [x, y] = loader.next_batch();  // (B, T) ids and the ids that follow
      auto [logits, loss] = model(x, y);
      loss = loss / double(grad_accum_steps);  // gradients add up, and the loss is a mean
      loss_accum = loss_accum + loss.detach();
      loss.backward();
    }
    const Tensor norm = optimizer.clip_grad_norm(options.grad_clip);  // step() does the clipping; 0: none
    const double lr = get_lr(step, options);
    optimizer.set_lr(lr);
    optimizer.step();
    const double loss = loss_accum.item();
    log.step({.step = step, .loss = loss, .lr = lr, .norm = norm.item(), .ms = watch.ms(), .tokens = tokens});
  }
}

// The batch loader, and the configuration of the model.
struct Inputs {
  GPTConfig config;
  DataLoaderLite loader;
  int64_t grad_accum_steps;
};

Inputs open_inputs(const Options& options) {
  const Device device = options.device();
  const std::string text = app::read_corpus(options.data);
  const auto tokenizer = app::make_tokenizer(options, text);
  const GPTConfig config = app::is_directory(options.model)
                               ? config_from(options.model)
                               : config_named(options.model, tokenizer->vocab_size());
  const auto [B, T] = options.batch_shape(config.block_size);
  const int64_t grad_accum_steps = app::micro_batches(options, options.total_batch, {B, T});
  app::check_memory<GPT>(device, config, B, T, options.dtype);
  DataLoaderLite loader(app::encode(*tokenizer, text, config.vocab_size), B, T, device);
  fmt::print("loaded {} tokens, 1 epoch = {} batches\n", loader.num_tokens(), loader.batches_per_epoch());
  return {config, std::move(loader), grad_accum_steps};
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
  train(model, inputs.loader, inputs.grad_accum_steps, options, log);
  log.done(device);
  if (options.count) log.print_counts();
}

}  // namespace

int main(int argc, char** argv) { return app::run(GPT2_STEP, argc, argv, run); }
