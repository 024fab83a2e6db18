#include "common/app/plan.h"

#include <fmt/core.h>

#include <utility>

#include "common/ops/attention.h"

namespace gpt2::app {
namespace {

// Parts of the data sheets' rates that kernels reach, as in tests/gpu/predict/gpus.py: 600 of an H100's 989.5 TFLOP/s.
constexpr double kReachedFlops = 0.61, kReachedBandwidth = 0.87;

// Bytes that a token moves through memory outside of matrix products and attention, in bf16: a LayerNorm reads and writes
// 8 bytes a channel in each direction, and each layer has two; the classifier reads the logits and writes their gradient.
double bytes_per_token(const PlannedRun& run, Recompute mode) {
  const double channels = double(run.n_layer) * double(run.n_embd);
  double bytes = 32 * channels + 4 * double(run.vocab);
  if (mode == Recompute::gelu || mode == Recompute::layernorm) bytes += 16 * channels;  // 4C read, 4C written
  if (mode == Recompute::layernorm) bytes += 8 * channels;
  if (mode == Recompute::block) bytes += 16 * channels;  // both LayerNorms forward
  return bytes;
}

// Bytes that a parameter of this rank's part moves: its norm, and AdamW's weights, gradient and moments.
double bytes_per_parameter(const PlannedRun& run) { return 2 + (run.master_weights ? 28 : 22); }

// The time of an optimizer step on one rank, in seconds: products and attention at the rate of products, everything else
// at the rate of memory. A forward pass is a third of the FLOP, and whole blocks are computed once more. Attention is
// counted with all T x T scores; its kernels compute half of them at half the rate.
double seconds(const PlannedRun& run, size_t mode) {
  const auto peak = peak_flops(run.card.name, "bf16");
  require(peak.has_value(), "--gpu: {} has no data sheet in gpu_peaks.json", run.card.name);
  const double tokens = double(run.total_batch) / double(run.ranks);
  const double again = Recompute(mode) == Recompute::block ? 4.0 / 3 : 1;
  const double bytes = tokens * bytes_per_token(run, Recompute(mode)) +
                       double(run.parameters) / double(run.ranks) * bytes_per_parameter(run);
  return again * run.flops_per_token * tokens / (kReachedFlops * *peak) +
         bytes / (kReachedBandwidth * run.card.bandwidth);
}

template <class Value>
void print_row(const std::string& name, const PlannedRun& run, const Value& value) {
  fmt::print("{:<42}", name);
  for (size_t mode = 0; mode < run.steps.size(); ++mode) fmt::print("{:>11}", value(mode));
  fmt::print("\n");
}

std::string gigabytes(size_t bytes) { return fmt::format("{:.2f}", double(bytes) / 1e9); }

}  // namespace

void PlanOptions::add_to(CommandLine& flags) {
  flags.group("Plan");
  flags.add("--plan", plan, "print what a step takes on --gpu, memory by kind and time, and end");
  flags.add("--gpu", gpu, "the GPU of --plan: h100, h200, a100, rtx4090, ...").placeholder("NAME");
  flags.add("--ranks", ranks, 1, 65536, "the number of GPUs of --plan");
}

size_t bytes_of_libraries(int64_t ranks) {
  constexpr size_t kNcclBytes = size_t{500} << 20;  // its channels' buffers on one machine
  return kCudaLibraryBytes + (ranks > 1 ? kNcclBytes : 0);
}

Device planned_gpu() {
  const Device gpu{DeviceType::cuda, 0};
  return no_cudnn_attention(gpu, DType::bf16).empty() ? gpu : kCpu;
}

void print_plan(const PlannedRun& run) {
  const size_t libraries = bytes_of_libraries(run.ranks);
  fmt::print("{} on {} x {}: --batch {} --seq {}, {} tokens a step\n", run.model, run.ranks, run.card.name,
             run.B, run.T, run.total_batch);
  print_row("memory of a rank, in GB, for --recompute", run, [](size_t mode) {
    return std::array{"none", "gelu", "layernorm", "block"}[mode];
  });
  const std::string share = run.ranks > 1 ? fmt::format(", 1/{}", run.ranks) : "";
  const std::pair<std::string, size_t MemoryPlan::*> kinds[] = {
      {"weights, bf16", &MemoryPlan::weights},
      {"gradients, bf16", &MemoryPlan::gradients},
      {"master weights, float32" + share, &MemoryPlan::master_weights},
      {"moments, float32" + share, &MemoryPlan::moments},
      {"activations", &MemoryPlan::activations},
      {"working memory of the backward pass", &MemoryPlan::working},
      {"free between blocks of the heap", &MemoryPlan::slack}};
  for (const auto& [name, kind] : kinds)
    print_row(name, run, [&, kind = kind](size_t mode) { return gigabytes(run.steps[mode].memory.*kind); });
  print_row("libraries (an estimate)", run, [&](size_t) { return gigabytes(libraries); });
  print_row("together", run,
            [&](size_t mode) { return gigabytes(run.steps[mode].memory.total() + libraries); });
  print_row(fmt::format("largest --batch in {:.0f} GB", run.card.memory / 1e9), run,
            [&](size_t mode) { return std::to_string(run.steps[mode].largest_batch); });
  print_row("milliseconds a step, without transfers", run,
            [&](size_t mode) { return fmt::format("{:.0f}", 1e3 * seconds(run, mode)); });
  print_row("tokens per second of a rank", run, [&](size_t mode) {
    return fmt::format("{:.0f}", double(run.total_batch) / double(run.ranks) / seconds(run, mode));
  });
}

}  // namespace gpt2::app
