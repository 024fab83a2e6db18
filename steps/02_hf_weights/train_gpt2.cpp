// Loads a Hugging Face GPT-2, prints its tensors, and runs a batch of text or given ids through it.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "common/app/inputs.h"
#include "common/app/inspect.h"
#include "common/app/log.h"
#include "common/app/statistics.h"
#include "common/data/npy.h"
#include "gpt2.h"

namespace {

struct Options : app::Options {
  bool explore = false;
  std::string ids, logits;

  void add_to(app::CommandLine& flags) {
    app::Options::add_to(flags);
    flags.group("Weights");
    flags.add("--explore", explore,
              "print every tensor of the --model directory and draw the position embeddings in wpe.png");
    flags.add("--ids", ids, "token ids to run instead of a batch of text: 464,3290")
        .placeholder("IDS")
        .excludes({"--batch", "--seq"});
    flags.add("--logits", logits, "file for the logits of --ids: float32 (T, vocab_size) in the .npy format")
        .placeholder("FILE")
        .output(app::OutputKind::npy);
  }
};

// The ids of --ids, (1, T), or a batch of text (B, T).
Tensor input(const Options& options, const std::string& text, const GPTConfig& config) {
  if (options.ids.empty()) {
    const auto tokenizer = app::make_tokenizer(options, text);
    return app::first_batch(options, app::encode(*tokenizer, text, config.vocab_size), config.block_size);
  }
  const std::vector<int32_t> ids = app::parse_ids("--ids", options.ids, config.vocab_size);
  return from_vector(ids, {1, int64_t(ids.size())}, options.device());
}

void run(app::CommandLine& flags) {
  Options options;
  options.add_to(flags);
  flags.parse();
  const bool pretrained = app::resolve_model(options);
  require(options.logits.empty() || !options.ids.empty(), "--logits: give the --ids to run");
  require(!options.explore || pretrained, "--explore: --model {} is not a Hugging Face directory",
          options.model);
  app::Log log(options.log);
  const std::string text = app::read_corpus(options.data);
  const GPTConfig config =
      pretrained ? config_from(options.model)
                 : config_named(options.model, app::make_tokenizer(options, text)->vocab_size());
  const Tensor x = input(options, text, config);  // (B, T)

  nn::manual_seed(options.seed);
  GPT model(config);
  if (pretrained) nn::load(model, options.model);
  model.to(options.device());
  log.config(options, model);
  app::print_parameters(model);
  if (options.explore) app::explore(options.model, "wpe.png");

  const NoGrad no_grad;
  const Tensor logits = model(x);  // (B, T, vocab_size)
  const std::vector<float> values = app::finite_values(logits);
  if (!options.logits.empty()) write_npy(options.logits, values, {x.size(1), logits.size(2)});
  const auto [mean, std] = app::mean_and_std(values);
  fmt::print("ids {} -> logits {}, mean {:.4f}, std {:.4f}\n", to_string(x.shape()),
             to_string(logits.shape()), mean, std);
  log.event("done", {{"logits", logits.shape()}, {"mean", mean}, {"std", std}});
}

}  // namespace

int main(int argc, char** argv) { return app::run(GPT2_STEP, argc, argv, run); }
