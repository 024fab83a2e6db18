// What rounding to nearest loses if the weights of a model are stored in bf16 alone. Trains the tiny model of
// 15_bf16_weights on the tales with a constant learning rate, once for each way to store the weights, and prints a JSON
// object for every tenth step:
//
//   rounding  nearest: bf16 weights, rounded to nearest; stochastic: bf16 weights, rounded stochastically
//             (--master-weights off); masters: float32 master weights beside them (--master-weights on)
//   step, loss
//   moved     the part of the first block's c_fc.weight that differs from the start
//
//   rounding_study --steps 400 --lr 1e-5
#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "common/app/program.h"
#include "common/data/loader.h"
#include "common/optim/adamw.h"
#include "common/tales/tales.h"
#include "common/text/tokenizer.h"
#include "steps/15_bf16_weights/gpt2.h"

namespace {

constexpr int64_t kBatch = 12, kLength = 64;

struct Options {
  int64_t steps = 400;
  double lr = 1e-5;
  uint64_t seed = 1337;
};

// The block that holds all weights of the model.
Tensor weights_of(const GPT& model) {
  const auto storage = model.named_parameters()[0].tensor->storage();
  return Tensor(storage, 0, {int64_t(storage->bytes() / sizeof(bf16))}, {1}, DType::bf16);
}

// Makes of a step with master weights one without, whose result is rounded to nearest.
void round_to_nearest(const Tensor& weights, const Tensor& masters) {
  auto* low = weights.data<bf16>();
  auto* exact = masters.data<float>();
  for (int64_t i = 0; i < masters.numel(); ++i) {
    low[i] = exact[i];
    exact[i] = low[i];
  }
}

double part_that_differs(const Tensor& matrix, const std::vector<float>& start) {
  const auto now = matrix.to(DType::f32).to_vector<float>();
  int64_t different = 0;
  for (size_t i = 0; i < now.size(); ++i) different += now[i] != start[i];
  return double(different) / double(now.size());
}

void train(const std::string& rounding, DataLoaderLite loader, int64_t vocab_size, const Options& options) {
  nn::manual_seed(options.seed);
  GPT model(config_named("tiny", vocab_size));
  model.to(kCpu, DType::bf16);
  optim::AdamW optimizer(model, {.lr = options.lr,
                                 .beta2 = 0.95,
                                 .weight_decay = 0,
                                 .master_weights = rounding != "stochastic",
                                 .rounding_seed = options.seed});
  const Tensor weights = weights_of(model), matrix = model.transformer.h[0].mlp.c_fc.weight.detach();
  const auto start = matrix.to(DType::f32).to_vector<float>();
  for (int64_t step = 0; step <= options.steps; ++step) {
    const auto [x, y] = loader.next_batch();
    optimizer.zero_grad();
    const auto [logits, loss] = model(x, y);
    loss.backward();
    if (step % 10 == 0) {
      nlohmann::ordered_json line{{"rounding", rounding}, {"step", step}, {"loss", loss.item()}};
      line["moved"] = part_that_differs(matrix, start);
      fmt::print("{}\n", line.dump());
    }
    optimizer.step();
    if (rounding == "nearest") round_to_nearest(weights, optimizer.blocks().at(2).block);
  }
}

void study(app::CommandLine& flags) {
  Options options;
  flags.add("--steps", options.steps, 1, 1'000'000, "number of steps of each run");
  flags.add("--lr", options.lr, 0, 1, "learning rate, the same in every step");
  flags.add("--seed", options.seed, "seed of the random number generators");
  flags.parse();
  const std::string text = tales(4'000'000, options.seed);
  const auto tokenizer = make_tokenizer("byte", text);
  const DataLoaderLite loader(tokenizer->encode(text), kBatch, kLength, kCpu);
  for (const char* rounding : {"nearest", "stochastic", "masters"})
    train(rounding, loader, tokenizer->vocab_size(), options);
}

}  // namespace

int main(int argc, char** argv) { return app::run("rounding_study", argc, argv, study); }
