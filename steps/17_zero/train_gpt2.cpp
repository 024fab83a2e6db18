// Trains GPT-2 on a text or on token shards, measures it while it trains, and resumes where it was stopped.
#include <fmt/core.h>

#include <cmath>
#include <numbers>

#include "common/app/inputs.h"
#include "common/app/interrupt.h"
#include "common/app/memory_check.h"
#include "common/app/plan.h"
#include "common/app/resolve.h"
#include "common/app/step_graphs.h"
#include "common/app/stopwatch.h"
#include "common/dist/ddp.h"
#include "common/ops/dropout.h"
#include "common/optim/adamw.h"
#include "common/training/long_run.h"
#include "common/training/outliers.h"
#include "common/training/ranks_agree.h"
#include "common/training/run_folder.h"
#include "evaluation.h"
#include "gpt2.h"

namespace {

struct Options : app::RankOptions {
  training::RunOptions run;
  bool cuda_graph = false;
  bool master_weights = true;
  Recompute recompute = Recompute::none;
  training::LongRunOptions long_run;
  app::PlanOptions plan;

  void add_to(app::CommandLine& flags) {
    app::RankOptions::add_to(flags);
    run.add_to(flags);
    flags.group("Training");
    flags.add("--cuda-graph", cuda_graph, {{"on", true}, {"off", false}},
              "record a step's kernel launches once, then replay them (GPU)");
    flags.add("--master-weights", master_weights, {{"on", true}, {"off", false}},
              "keep the weights in float32, too, for the optimizer; off takes less memory");
    flags.add("--recompute", recompute,
              {{"none", Recompute::none},
               {"gelu", Recompute::gelu},
               {"layernorm", Recompute::layernorm},
               {"block", Recompute::block}},
              "which activations to compute again in the backward pass, instead of keeping them: the GELUs' "
              "results, those and the LayerNorms', or all of a block");
    long_run.add_to(flags);
    plan.add_to(flags);
  }
};

// Where the learning rate is on its way from max_lr (1) down to min_lr (0).
double coefficient(int64_t step, const Options& options) {
  const auto ratio_since = [&](double first) {
    return (double(step) - first) / (double(options.steps) - first);
  };
  const double decay_ratio = ratio_since(double(options.warmup)),
               last_fifth = ratio_since(0.8 * double(options.steps));
  switch (options.long_run.schedule) {
    case training::Schedule::cosine:
      return 0.5 * (1 + std::cos(std::numbers::pi * decay_ratio));
    case training::Schedule::linear:
      return 1 - decay_ratio;
    case training::Schedule::wsd:  // warm-up, stable, decay
      return last_fifth < 0 ? 1 : 1 - std::sqrt(last_fifth);
    case training::Schedule::constant:
      break;
  }
  return 1;
}

// The learning rate of a step: linear warm-up, then the schedule.
double get_lr(int64_t step, const Options& options) {
  const double max_lr = options.max_lr, min_lr = options.min_lr.value_or(max_lr / 10);
  if (step < options.warmup)
    return max_lr * double(step + 1) / double(options.warmup);  // + 1: step 0 trains too
  if (step >= options.steps) return min_lr;                     // as in the video; the loop ends before that
  return min_lr + coefficient(step, options) * (max_lr - min_lr);
}

// Weight decay is for matrices and embeddings, not for the one-dimensional biases and LayerNorm parameters.
optim::AdamW configure_optimizers(const GPT& model, const Options& options, const dist::ProcessGroup& group) {
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
                      {.beta1 = 0.9,
                       .beta2 = options.beta2,
                       .eps = 1e-8,
                       .master_weights = options.master_weights,
                       .rounding_seed = options.seed,
                       .rank = group.rank(),
                       .world_size = group.world_size()});  // the loop sets lr
}

// The recorded part of a micro-batch: adds its gradients, and adds its share of the loss to loss_accum.
void forward_backward(GPT& model, const Tensor& x, const Tensor& y, const DropoutMasks& masks,
                      int64_t grad_accum_steps, const Tensor& loss_accum) {
  const Dropout dropout_on(masks);
  auto [logits, loss] = model(x, y);
  loss = loss / double(grad_accum_steps);  // gradients add up, and the loss is a mean
  copy_(loss_accum, loss_accum + loss.detach());
  loss.backward();
}

// The recorded norm of all gradients: each rank has those of its part.
Tensor clip_grad_norm(optim::AdamW& optimizer, const dist::ProcessGroup& group, double grad_clip) {
  const Tensor squares = optimizer.sum_squares();
  group.all_reduce(squares);
  return optimizer.clip_grad_norm(grad_clip, squares);  // step() does the clipping; 0: none
}

// The recorded update: each rank updates its part of the weights, and gets the others.
void update(optim::AdamW& optimizer, const dist::DistributedDataParallel& ddp) {
  optimizer.step();
  ddp.gather_weights();
}

void train(GPT& model, optim::AdamW& optimizer, TokenLoader& loader, int64_t grad_accum_steps,
           const Options& options, const dist::ProcessGroup& group, Evaluation& evaluate,
           training::RunFolder& folder, app::Log& log) {
  const Device device = group.device();
  dist::DistributedDataParallel ddp(model, group, optimizer.partition());  // each rank averages its part
  DropoutMasks masks(options.run.dropout, options.seed, device);
  app::StepGraphs graphs(device, options.cuda_graph);
  training::Outliers& outliers = folder.watch(options.long_run.skip_loss_z, options.long_run.skip_norm_z);
  const Tensor loss_accum = empty({}, device);  // allocated once, because the graphs hold its address
  Tensor norm;  // the update sets it, in every step to the same tensor of the optimizer
  const int64_t tokens = loader.B() * loader.T() * grad_accum_steps * group.world_size();  // per step
  for (int64_t step = folder.resumed().value_or(0);; ++step) {
    const bool is_end = step == options.steps;
    if (step != folder.resumed()) evaluate(model, step, is_end, log);  // else the run before did it
    if (folder.save_if_due(step, is_end, log)) break;                  // at the end, or after an interrupt
    const app::StopWatch watch(device);
    const MatmulTuning tuning(!options.deterministic);  // cuBLASLt times its algorithms, once for each shape
    if (options.overfit) loader.reset();
    optimizer.zero_grad();
    zero_(loss_accum);
    for (int64_t micro_step = 0; micro_step < grad_accum_steps; ++micro_step) {
      const auto [x, y] = loader.next_batch();  // (B, T) ids and the ids that follow
      ddp.require_backward_grad_sync = micro_step == grad_accum_steps - 1;  // once per optimizer step
      masks.set_draw((step * grad_accum_steps + micro_step) * group.world_size() + group.rank());
      const char* part = ddp.require_backward_grad_sync ? "last" : micro_step == 0 ? "first" : "next";
      graphs.run(part, [&, x = x, y = y] {  // a step of one micro-batch has only "last"
        forward_backward(model, x, y, masks, grad_accum_steps, loss_accum);
      });
    }
    group.all_reduce(loss_accum);  // the sum over ranks of each rank's mean loss
    const double lr = get_lr(step, options);
    optimizer.set_lr(lr);
    graphs.run("norm", [&] { norm = clip_grad_norm(optimizer, group, options.grad_clip); });
    const bool skip =
        outliers.watches() && outliers.skips(loss_accum.item() / group.world_size(), norm.item());
    skip ? optimizer.skip_step() : graphs.run("update", [&] { update(optimizer, ddp); });
    const double loss = loss_accum.item() / group.world_size();
    log.step({step, loss, lr, norm.item(), watch.ms(), tokens, skip});
  }
}

// What a run reads: batches, their tokenizer, and the configuration of the model.
struct Inputs {
  std::unique_ptr<Tokenizer> tokenizer;
  GPTConfig config;
  TokenLoader loader;
  int64_t grad_accum_steps;
  std::optional<TokenLoader> val_loader;  // none without --val-every
};

Inputs open_inputs(const Options& options, const dist::ProcessGroup& group) {
  const Device device = group.device();
  const std::string text = training::read_text(options);
  auto tokenizer = app::make_tokenizer(options, text);
  const GPTConfig config = app::is_directory(options.model)
                               ? config_from(options.model)
                               : config_named(options.model, tokenizer->vocab_size());
  const auto [B, T] = options.batch_shape(config.block_size);
  const int64_t grad_accum_steps =
      app::micro_batches(options, options.total_batch, {B, T}, group.world_size());
  app::check_memory<GPT>(device, config, B, T, options.dtype,
                         {options.dtype, options.master_weights, group.world_size()});
  training::Dataset data =
      training::open_dataset(options, options.run, text, *tokenizer, config.vocab_size, group);
  const TokenLoader::Settings loader_settings{.B = B,
                                              .T = T,
                                              .order = options.run.order,
                                              .seed = options.seed,
                                              .rank = group.rank(),
                                              .world = group.world_size(),
                                              .device = device};
  TokenLoader loader(std::move(data.train), loader_settings);
  fmt::print("loaded {} tokens, 1 epoch = {} batches, and a tail of {} tokens\n", loader.num_tokens(),
             loader.batches_per_epoch(), loader.tail());
  return {std::move(tokenizer), config, std::move(loader), grad_accum_steps,
          training::open_val_loader(std::move(data.val), loader_settings)};
}

// Prints what a step of this model takes on --gpu.
void print_plan(Options options) {
  app::resolve_model(options);
  const GPTConfig config =
      app::is_directory(options.model) ? config_from(options.model) : config_named(options.model, 257);
  const auto [B, T] = options.batch_shape(config.block_size);
  const int64_t total = app::total_batch(options.model, options.total_batch, {B, T}, int(options.plan.ranks));
  app::plan_training<GPT>(options.plan, options.model, config, B, T, total, options.master_weights);
}

// Opens the data, builds the model, resumes from a checkpoint if --resume asks for it, and trains.
void run(app::CommandLine& flags) {
  Options options;
  options.add_to(flags);
  flags.parse();
  if (options.plan.plan) return print_plan(options);
  const dist::ProcessGroup group(options.device(), {.rendezvous_port = int(options.rendezvous_port)});
  app::speak_only_if(group.is_master());
  const Device device = group.device();
  const Recomputing recomputing(options.recompute);
  training::RunFolder folder(options.run, options.steps, group);
  app::resolve_model(options);
  Inputs inputs = open_inputs(options, group);
  nn::manual_seed(options.seed);
  GPT model(inputs.config);
  if (app::is_directory(options.model)) nn::load(model, options.model);
  const DType dtype = app::autocast_dtype(options.dtype, device);
  model.to(device, dtype);  // bf16: weights, gradients and the residual stream
  training::require_ranks_agree(group, flags, model, inputs.loader, inputs.val_loader);
  optim::AdamW optimizer = configure_optimizers(model, options, group);
  const Attention attention(app::attention_kernels(options, device, dtype));
  const Precision precision(options.matmul_precision);
  folder.resume({model, optimizer, inputs.loader},  // checkpoints store which attention kernels are in use
                training::checkpoint_setup(flags, hf_config(inputs.config, inputs.tokenizer->end_of_text()),
                                           *inputs.tokenizer, inputs.loader, inputs.grad_accum_steps,
                                           inputs.val_loader));
  Evaluation evaluate{
      .options = options.run,
      .tokenizer = *inputs.tokenizer,
      .group = group,
      .val_loader = std::move(inputs.val_loader),
      .val_loss_steps = 20 * inputs.grad_accum_steps,
      .hellaswag = training::open_hellaswag(options.run, *inputs.tokenizer, inputs.config.block_size, group),
      .batch_tokens = inputs.loader.B() * inputs.loader.T()};
  app::Log log = folder.open_log(options.log);
  log.config(options, model, group.world_size());
  app::catch_interrupts();
  train(model, optimizer, inputs.loader, inputs.grad_accum_steps, options, group, evaluate, folder, log);
  log.done(device);
  if (options.count) log.print_counts();
}

}  // namespace

int main(int argc, char** argv) { return app::run(GPT2_STEP, argc, argv, run); }
