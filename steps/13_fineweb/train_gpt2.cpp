// Trains GPT-2 on a text or on token shards, measures it on the way, and goes on where it was stopped.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "common/app/inputs.h"
#include "common/app/inspect.h"
#include "common/app/interrupt.h"
#include "common/app/memory_check.h"
#include "common/app/replay.h"
#include "common/app/stopwatch.h"
#include "common/data/token_loader.h"
#include "common/dist/ddp.h"
#include "common/ops/autocast.h"
#include "common/ops/dropout.h"
#include "common/optim/adamw.h"
#include "common/optim/schedule.h"
#include "common/training/dataset.h"
#include "common/training/evaluation.h"
#include "common/training/run_folder.h"
#include "common/training/run_settings.h"
#include "common/training/same_run.h"
#include "gpt2.h"

namespace {

struct Options : app::Options {
  bool overfit = false;
  std::string matmul_precision = "high", dtype = "bf16", attention;
  bool count = false, cuda_graph = false;
  double max_lr = 6e-4, min_lr = -1, weight_decay = 0.1, grad_clip = 1;
  int64_t warmup = 10, total_batch = 0, rendezvous_port = 0;
  double beta2 = 0.95;
  training::RunOptions run;

  void add_to(app::CommandLine& flags) {
    app::Options::add_to(flags);
    flags.add("--overfit", overfit, "train on the first batch only");
    flags.add("--matmul-precision", matmul_precision, {"highest", "high", "medium"},
              "of float32 matrix products: all bits, TF32 (GPU), bf16");
    flags.add("--dtype", dtype, {"bf16", "fp32"}, "of matrix products; the rest and the weights are float32");
    flags.add("--attention", attention, {"own", "cudnn"},
              "whose kernels; by default the faster that is there");
    flags.add("--max-lr", max_lr, 0, 1, "learning rate after the warm-up");
    flags.add("--min-lr", min_lr, 0, 1, "learning rate at the end (a tenth of --max-lr)");
    flags.add("--warmup", warmup, 0, int64_t{1} << 40, "steps of linear warm-up");
    flags.add("--weight-decay", weight_decay, 0, 1, "of matrices; biases and LayerNorms do not decay");
    flags.add("--grad-clip", grad_clip, 0, 1e9, "longest norm of all gradients together; 0: any");
    flags.add("--cuda-graph", cuda_graph, "replay the step as one recorded graph (GPU)");
    flags.add("--total-batch", total_batch, 1, int64_t{1} << 40,
              "tokens of an optimizer step (tiny: 3072; else 524288)");
    flags.add("--rendezvous-port", rendezvous_port, 1, 65535, "where ranks meet (torchrun: MASTER_PORT + 1)");
    flags.add("--beta2", beta2, 0, 0.99999,
              "how long AdamW remembers squared gradients; nearer 1 for small batches");
    run.add_to(flags);
    flags.add("--count", count, "print what the last step called: kernels, and the bytes they touch");
  }
};

void run(app::CommandLine& flags) {
  Options options;
  options.add_to(flags);
  flags.parse();
  const dist::ProcessGroup group(options.on(), {.rendezvous_port = int(options.rendezvous_port)});
  app::speak_only_if(group.is_master());
  const Device device = group.device();
  const training::RunFolder folder(options.run, options.steps, group);
  const DType dtype = app::autocast_dtype(options.dtype, device);
  const bool pretrained = app::is_directory(options.model);
  const std::string text = training::read_text(options);
  const auto tokenizer = app::make_tokenizer(options, text);
  const GPTConfig config =
      pretrained ? config_from(options.model) : config_named(options.model, tokenizer->vocab_size());
  const auto [B, T] = options.batch_shape(config.block_size);
  const int64_t grad_accum_steps =
      app::micro_batches(options, options.total_batch, {B, T}, group.world_size());
  app::check_memory<GPT>(device, config, B, T, dtype);
  training::Dataset data =
      training::open_dataset(options, options.run, text, *tokenizer, config.vocab_size, group);
  const TokenLoader::Settings batches{
      .B = B,
      .T = T,
      .order = options.run.order == "video" ? DataOrder::video : DataOrder::shuffled,
      .seed = options.seed,
      .rank = group.rank(),
      .world = group.world_size(),
      .device = device};
  TokenLoader loader(std::move(data.train), batches);
  fmt::print("loaded {} tokens, 1 epoch = {} batches, and a tail of {} tokens\n", loader.num_tokens(),
             loader.batches_per_epoch(), loader.tail());

  nn::manual_seed(options.seed);
  GPT model(config);
  if (pretrained) nn::load(model, options.model);
  model.to(device);
  const AttentionKernels kernels = app::attention_kernels(options.attention, device, dtype);
  const Attention attention(kernels);
  const Precision precision(app::matmul_precision(options.matmul_precision));
  optim::AdamW optimizer(model, {.beta1 = 0.9,
                                 .beta2 = options.beta2,
                                 .eps = 1e-8,
                                 .weight_decay = options.weight_decay,
                                 .decay_vectors = false});
  app::print_groups(optimizer);
  const training::TrainingState state{model, optimizer, loader};
  const double min_lr = options.min_lr < 0 ? options.max_lr / 10 : options.min_lr;
  const HfConfig shape = hf_config(config, tokenizer->end_of_text());
  const training::Resolved resolved{.B = B,
                                    .T = T,
                                    .total_batch = B * T * grad_accum_steps * group.world_size(),
                                    .min_lr = min_lr,
                                    .attention = kernels,
                                    .device = device,
                                    .ranks = group.world_size()};
  const training::CheckpointSetup setup{
      shape, *tokenizer, training::run_settings(flags, resolved, shape, *tokenizer, loader.identities())};
  training::require_same_run(group, flags, model, loader);
  const std::optional<int64_t> resumed = folder.resume(state, setup);
  dist::DistributedDataParallel ddp(model, group);
  const optim::CosineSchedule get_lr{
      .max_lr = options.max_lr, .min_lr = min_lr, .warmup = options.warmup, .max_steps = options.steps};
  app::Replay first_micro(device, options.cuda_graph), next_micro(device, options.cuda_graph),
      last_micro(device, options.cuda_graph), update(device, options.cuda_graph);
  const Tensor loss_accum = empty({}, device), norm_of_step = empty({}, device);
  DropoutMasks masks(options.run.dropout, options.seed, device);
  training::Evaluation evaluate(options.run,
                                {.logits = [&](const Tensor& x) { return model.padded_logits(x); },
                                 .loss = [&](const Tensor& x, const Tensor& y) { return model(x, y).second; },
                                 .vocab_size = config.vocab_size,
                                 .block_size = config.block_size},
                                *tokenizer, std::move(data.val), batches, 20 * grad_accum_steps, group);
  app::Log log = folder.open_log(options.log);
  log.config(options, model);
  app::catch_interrupts();
  for (int64_t step = resumed.value_or(0);; ++step) {
    const bool is_end = step == options.steps, stops = is_end || app::stop_requested(group);
    if (step != resumed) {  // what comes before that step was done before the run was stopped
      const Autocast autocast(dtype);
      evaluate(step, is_end, log);
      folder.save(step, stops, state, setup, log);
    }
    if (stops) break;
    const app::StopWatch watch(device);
    const MatmulTuning tuning(true);  // a GPU's library tries its algorithms, once for each shape
    if (options.overfit) loader.reset();
    for (int64_t micro = 0; micro < grad_accum_steps; ++micro) {
      const auto [x, y] = loader.next_batch();  // (B, T) ids and the ids that follow
      const bool is_last = micro == grad_accum_steps - 1;
      ddp.require_backward_grad_sync = is_last;  // once a step, not once a micro-batch
      app::Replay& replay = is_last ? last_micro : micro == 0 ? first_micro : next_micro;
      masks.set_draw((step * grad_accum_steps + micro) * group.world_size() + group.rank());
      replay([&, x = x, y = y] {
        const Autocast autocast(dtype);  // matrix products in bf16, the rest in float32
        const Dropout dropout(masks);
        if (micro == 0) optimizer.zero_grad();
        auto [logits, loss] = model(x, y);
        loss = loss / double(grad_accum_steps);  // gradients add up: of the mean of means
        loss.backward();
        copy_(loss_accum, micro == 0 ? loss : loss_accum + loss.detach());
      });
    }
    const double lr = get_lr(step);
    optimizer.set_lr(lr);
    update([&] {
      copy_(norm_of_step, optimizer.clip_grad_norm(options.grad_clip));
      optimizer.step();
    });
    group.all_reduce(loss_accum);  // each rank has the mean of its own micro-batches
    log.step({.step = step,
              .loss = loss_accum.item() / group.world_size(),
              .lr = lr,
              .norm = norm_of_step.item(),
              .ms = watch.ms(),
              .tokens = B * T * grad_accum_steps * group.world_size()});
  }
  log.done(device);
  if (options.count) log.print_counts();
}

}  // namespace

int main(int argc, char** argv) { return app::run("13_fineweb", argc, argv, run); }
