// Trains GPT-2 on a text, or overfits its first batch.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "common/app/inputs.h"
#include "common/app/inspect.h"
#include "common/app/log.h"
#include "common/app/memory_check.h"
#include "common/app/replay.h"
#include "common/app/stopwatch.h"
#include "common/data/token_loader.h"
#include "common/dist/ddp.h"
#include "common/ops/autocast.h"
#include "common/optim/adamw.h"
#include "common/optim/schedule.h"
#include "common/training/same_run.h"
#include "gpt2.h"

namespace {

struct Options : app::Options {
  bool overfit = false;
  std::string matmul_precision = "high", dtype = "bf16", attention;
  bool count = false, cuda_graph = false;
  double max_lr = 6e-4, min_lr = -1, weight_decay = 0.1, grad_clip = 1;
  int64_t warmup = 10, total_batch = 0, rendezvous_port = 0;

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
  const DType dtype = app::autocast_dtype(options.dtype, device);
  const bool pretrained = app::is_directory(options.model);
  app::Log log(group.is_master() ? options.log : "");
  const std::string text = app::read_corpus(options.data);
  const auto tokenizer = app::make_tokenizer(options, text);
  const GPTConfig config =
      pretrained ? config_from(options.model) : config_named(options.model, tokenizer->vocab_size());
  const auto [B, T] = options.batch_shape(config.block_size);
  const int64_t grad_accum_steps =
      app::micro_batches(options, options.total_batch, {B, T}, group.world_size());
  app::check_memory<GPT>(device, config, B, T, dtype);
  TokenLoader loader(text_source(app::encode(*tokenizer, text, config.vocab_size)),
                     {.B = B,
                      .T = T,
                      .order = DataOrder::video,
                      .rank = group.rank(),
                      .world = group.world_size(),
                      .device = device});
  fmt::print("loaded {} tokens, 1 epoch = {} batches\n", loader.num_tokens(), loader.batches_per_epoch());

  nn::manual_seed(options.seed);
  GPT model(config);
  if (pretrained) nn::load(model, options.model);
  model.to(device);
  log.config(options, model);

  const Attention attention(app::attention_kernels(options.attention, device, dtype));
  const Precision precision(app::matmul_precision(options.matmul_precision));
  optim::AdamW optimizer(model, {.beta1 = 0.9,
                                 .beta2 = 0.95,
                                 .eps = 1e-8,
                                 .weight_decay = options.weight_decay,
                                 .decay_vectors = false});
  app::print_groups(optimizer);
  training::require_same_run(group, flags, model, loader);
  dist::DistributedDataParallel ddp(model, group);
  const optim::CosineSchedule get_lr{.max_lr = options.max_lr,
                                     .min_lr = options.min_lr < 0 ? options.max_lr / 10 : options.min_lr,
                                     .warmup = options.warmup,
                                     .max_steps = options.steps};
  app::Replay first_micro(device, options.cuda_graph), next_micro(device, options.cuda_graph),
      last_micro(device, options.cuda_graph), update(device, options.cuda_graph);
  const Tensor loss_accum = empty({}, device), norm_of_step = empty({}, device);
  for (int64_t step = 0; step < options.steps; ++step) {
    const app::StopWatch watch(device);
    const MatmulTuning tuning(true);  // a GPU's library tries its algorithms, once for each shape
    if (options.overfit) loader.reset();
    for (int64_t micro = 0; micro < grad_accum_steps; ++micro) {
      const auto [x, y] = loader.next_batch();  // (B, T) ids and the ids that follow
      const bool is_last = micro == grad_accum_steps - 1;
      ddp.require_backward_grad_sync = is_last;  // once a step, not once a micro-batch
      app::Replay& replay = is_last ? last_micro : micro == 0 ? first_micro : next_micro;
      replay([&, x = x, y = y] {
        const Autocast autocast(dtype);  // matrix products in bf16, the rest in float32
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

int main(int argc, char** argv) { return app::run("12_ddp", argc, argv, run); }
