// --plan: what a training step takes on a GPU that need not be here: memory by kind for each --recompute, the largest batch,
// and an estimate of its time.
//
// since 17_zero
#pragma once

#include <array>
#include <string>

#include "common/app/memory_check.h"
#include "common/app/mfu.h"

namespace gpt2::app {

struct PlanOptions {
  bool plan = false;
  std::string gpu = "h100";
  int64_t ranks = 1;

  void add_to(CommandLine& flags);
};

// A step of one --recompute on one rank.
struct PlannedStep {
  MemoryPlan memory;
  int64_t largest_batch = 0;
};

// What is planned, and what its time depends on.
struct PlannedRun {
  std::string model;
  Card card;
  int64_t B = 0, T = 0, ranks = 1, total_batch = 0;
  int64_t parameters = 0, n_layer = 0, n_embd = 0, vocab = 0;  // vocab: all rows of the output layer
  bool master_weights = true;
  double flops_per_token = 0;
  std::array<PlannedStep, 4> steps{};  // by Recompute
};

// The bytes that a rank needs beside the heap: kernels and workspaces of CUDA's libraries, and NCCL's buffers. Estimates.
size_t bytes_of_libraries(int64_t ranks);

// A GPU, whether there is one or not, if this program has kernels for it; else the CPU, whose kernels need about the same
// workspaces.
Device planned_gpu();

void print_plan(const PlannedRun& run);

// Plans training of a GPT in bf16 and prints the plan.
template <class GPT, class GPTConfig>
void plan_training(const PlanOptions& options, const std::string& model_name, const GPTConfig& config,
                   int64_t B, int64_t T, int64_t total_batch, bool master_weights) {
  const Device gpu = planned_gpu();
  constexpr int64_t kMostSequences = 1024;
  const WeightsPlan weights{DType::bf16, master_weights, int(options.ranks)};
  PlannedRun run{.model = model_name,
                 .card = card_named(options.gpu),
                 .B = B,
                 .T = T,
                 .ranks = options.ranks,
                 .total_batch = total_batch,
                 .n_layer = config.n_layer,
                 .n_embd = config.n_embd,
                 .vocab = config.padded_vocab_size(),
                 .master_weights = master_weights};
  {
    const ParameterDevice on_meta(kMeta);
    const GPT model(config);
    run.parameters = model.num_parameters();
    run.flops_per_token = flops_per_token(model, T);
  }
  const size_t available = size_t(run.card.memory) - bytes_of_libraries(options.ranks);
  for (size_t i = 0; i < run.steps.size(); ++i) {
    const Recomputing recomputing{Recompute(i)};
    const auto plan = [&](int64_t batch) {
      return plan_memory<GPT>(gpu, config, batch, T, DType::bf16, weights);
    };
    run.steps[i].largest_batch =
        largest_batch(kMostSequences, available, [&](int64_t batch) { return plan(batch).total(); });
    run.steps[i].memory = plan(B);
  }
  print_plan(run);
}

}  // namespace gpt2::app
