// Trains a small GPT on random sums, counts how many of those kept for the test it can do, and saves it here.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>

#include "addition.h"
#include "common/app/program.h"
#include "common/optim/adamw.h"

using namespace gpt2;

namespace {

struct Options {
  int64_t steps = 2000, batch = 128, layers = 2, heads = 4, width = 64;
  double max_lr = 3e-3;

  void add_to(app::CommandLine& flags) {
    flags.group("Training");
    flags.add("--steps", steps, 1, 1'000'000, "optimizer steps");
    flags.add("--batch", batch, 1, 4096, "sums per step");
    flags.add("--max-lr", max_lr, 0, 1, "largest learning rate");
    flags.group("Model");
    flags.add("--layers", layers, 1, 6, "blocks");
    flags.add("--heads", heads, 1, 16, "heads; they divide the width");
    flags.add("--width", width, 8, 128, "channels of the residual stream");
  }
};

// Linear warm-up, then a half cosine down to a hundredth.
double learning_rate(int64_t step, const Options& options) {
  constexpr int64_t kWarmup = 100;
  if (step < kWarmup) return options.max_lr * double(step + 1) / kWarmup;
  const double done = double(step) / double(options.steps);
  return options.max_lr * (0.01 + 0.99 * 0.5 * (1 + std::cos(std::numbers::pi * done)));
}

// Random lines, all of them kept for the test or none.
std::vector<int32_t> random_lines(exercise::Draw& draw, int64_t count, const Symbols& symbols, bool kept) {
  std::vector<int32_t> ids;
  while (int64_t(ids.size()) < count * kLine) {
    const int64_t a = draw.integer(0, 999), b = draw.integer(0, 999);
    if (is_kept_for_the_test(a, b) != kept) continue;
    const std::vector<int32_t> line = line_of(a, b, symbols);
    require(line.size() == kLine, "line_of returned {} ids, expected {}", line.size(), kLine);
    ids.insert(ids.end(), line.begin(), line.end());
  }
  return ids;
}

// The share of lines in which the model's first choice is right for all four digits. Then it also writes them
// on its own, digit by digit.
double share_right(exercise::GPT& model, const std::vector<int32_t>& lines) {
  const NoGrad no_grad;
  const int64_t count = int64_t(lines.size()) / kLine;
  const std::vector<float> logits = model(from_vector(lines, {count, kLine})).to_vector<float>();
  int64_t right = 0;
  for (int64_t row = 0; row < count; ++row) {
    bool all = true;
    for (int64_t i = row * kLine + kQuestion - 1; i < row * kLine + kLine - 1; ++i) {
      const auto first = logits.begin() + i * kVocab;
      all = all && std::max_element(first, first + kVocab) - first == lines[size_t(i + 1)];
    }
    right += all;
  }
  return double(right) / double(count);
}

void train(exercise::GPT& model, const Options& options) {
  const Symbols symbols = own_symbols();
  exercise::Draw draw(1, "training"), test_draw(2, "kept sums");
  const std::vector<int32_t> kept = random_lines(test_draw, 500, symbols, /*kept=*/true);
  optim::AdamW optimizer(model, {.beta2 = 0.98, .weight_decay = 0});
  for (int64_t step = 0; step < options.steps; ++step) {
    const std::vector<int32_t> lines = random_lines(draw, options.batch, symbols, /*kept=*/false);
    optimizer.zero_grad();
    const Tensor loss = answer_loss(model, lines);
    loss.backward();
    optimizer.clip_grad_norm(1);
    optimizer.set_lr(learning_rate(step, options));
    optimizer.step();
    if (step % 250 != 0 && step + 1 < options.steps) continue;
    fmt::print("step {:5} | loss: {:.4f} | kept sums right: {:.1f}%\n", step, loss.item(),
               100 * share_right(model, kept));
    std::fflush(stdout);
  }
}

void run(app::CommandLine& flags) {
  Options options;
  options.add_to(flags);
  flags.parse();
  require(options.width % options.heads == 0, "--heads {} does not divide --width {}", options.heads,
          options.width);
  nn::manual_seed(1337);
  exercise::GPT model({.vocab_size = kVocab,
                       .n_positions = kLine,
                       .n_embd = options.width,
                       .n_layer = options.layers,
                       .n_head = options.heads});
  model.to(kCpu);
  fmt::print("{} parameters, symbols of {}\n", model.num_parameters(), exercise::student_id());
  train(model, options);
  nn::save(model, model.config, ".");
  fmt::print("wrote config.json and model.safetensors\n");
}

}  // namespace

int main(int argc, char** argv) { return app::run("train", argc, argv, run); }
