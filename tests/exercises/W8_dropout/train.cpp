// Trains a small model on a short text, without and with dropout, and shows both losses.
#include <fmt/core.h>

#include <cstdio>

#include "common/app/program.h"
#include "common/data/loader.h"
#include "common/optim/adamw.h"
#include "common/tales/tales.h"
#include "dropout.h"

using namespace gpt2;

namespace {

std::vector<int32_t> ids_of(const std::string& text) { return {text.begin(), text.end()}; }

void train(double dropout, int64_t steps) {
  constexpr int64_t kBatch = 8, kContext = 64;
  nn::manual_seed(1337);
  Model model({.vocab_size = 128,
               .block_size = kContext,
               .n_layer = 2,
               .n_head = 4,
               .n_embd = 64,
               .dropout = dropout});
  model.to(kCpu);
  DataLoaderLite loader(ids_of(tales(8'000, 1)), kBatch, kContext,
                        kCpu);  // short: it will be learned by heart
  DataLoaderLite val_loader(ids_of(tales(8'000, 2)), 2 * kBatch, kContext, kCpu);
  optim::AdamW optimizer(model, {.lr = 2e-3});
  for (int64_t step = 0; step <= steps; ++step) {
    const auto [x, y] = loader.next_batch();
    if (step % 100 == 0) {
      val_loader.reset();
      const auto [val_x, val_y] = val_loader.next_batch();
      fmt::print("dropout {} | step {:4} | loss: {:.3f} | validation loss: {:.3f}\n", dropout, step,
                 estimate_loss(model, x, y), estimate_loss(model, val_x, val_y));
      std::fflush(stdout);
    }
    optimizer.zero_grad();
    cross_entropy(model(x), y).backward();
    optimizer.step();
  }
}

void run(app::CommandLine& flags) {
  int64_t steps = 500;
  double dropout = 0.2;
  flags.group("Training");
  flags.add("--steps", steps, 1, 100'000, "optimizer steps of each run");
  flags.add("--dropout", dropout, 0, 0.9, "probability of the second run; the first one has 0");
  flags.parse();
  train(0, steps);
  train(dropout, steps);
}

}  // namespace

int main(int argc, char** argv) { return app::run("train", argc, argv, run); }
