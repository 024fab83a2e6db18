// Builds GPT-2, lists its parameters, and runs a batch of text through it.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "common/app/inputs.h"
#include "common/app/inspect.h"
#include "common/app/log.h"
#include "common/app/statistics.h"
#include "gpt2.h"

namespace {

void run(app::CommandLine& flags) {
  app::Options options;
  options.add_to(flags);
  flags.parse();
  require(!app::is_directory(options.model),
          "--model {}: a folder; from 02_hf_weights on, its weights are loaded", options.model);
  app::Log log(options.log);
  const std::string text = app::read_corpus(options.data);
  const auto tokenizer = app::make_tokenizer(options, text);

  const GPTConfig config = config_named(options.model, tokenizer->vocab_size());
  const Tensor x = app::first_batch(options, app::encode(*tokenizer, text, config.vocab_size),
                                    config.block_size);  // (B, T)

  nn::manual_seed(options.seed);
  GPT model(config);
  model.to(options.device());
  log.config(options, model);
  app::print_parameters(model);

  const NoGrad no_grad;
  const Tensor logits = model(x);  // (B, T, vocab_size)
  const auto [mean, std] = app::mean_and_std(app::finite_values(logits));
  fmt::print("ids {} -> logits {}, mean {:.4f}, std {:.4f}\n", to_string(x.shape()),
             to_string(logits.shape()), mean, std);
  log.event("done", {{"logits", logits.shape()}, {"mean", mean}, {"std", std}});
}

}  // namespace

int main(int argc, char** argv) { return app::run(GPT2_STEP, argc, argv, run); }
