// Opens a Hugging Face GPT-2, looks inside, and runs a batch of text or given ids through it.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

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
    flags.add("--explore", explore,
              "print every tensor of the directory, draw the position embeddings in wpe.png");
    flags.add("--ids", ids, "token ids to run instead of a batch of text: 464,3290");
    flags.add("--logits", logits, "a .npy file for the logits of --ids, float32 (T, vocab_size)");
  }
};

// One sequence: the ids of --ids -> (1, T)
Tensor ids_from(const Options& options, int64_t vocab_size) {
  const std::vector<int32_t> ids = app::parse_ids("--ids", options.ids, vocab_size);
  return from_vector(ids, {1, int64_t(ids.size())}, options.on());
}

void run(app::CommandLine& flags) {
  Options options;
  options.add_to(flags);
  flags.parse();
  app::Log log(options.log);
  const std::string text = app::read_corpus(options.data);
  const auto tokenizer = app::make_tokenizer(options, text);

  nn::manual_seed(options.seed);
  const bool pretrained = app::is_directory(options.model);
  GPT model(pretrained ? config_from(options.model) : config_named(options.model, tokenizer->vocab_size()));
  if (pretrained) nn::load(model, options.model);
  model.to(options.on());
  app::check_vocabulary(*tokenizer, model.config.vocab_size);
  log.config(options, model);
  app::print_parameters(model);
  if (options.explore) app::explore(options.model, "wpe.png");

  const NoGrad no_grad;
  const Tensor x = options.ids.empty() ? app::first_batch(options, *tokenizer, text, model.config.block_size)
                                       : ids_from(options, model.config.vocab_size);  // (B, T)
  const Tensor logits = model(x);                                                     // (B, T, vocab_size)
  if (!options.logits.empty())
    write_npy(options.logits, logits.to_vector<float>(), {x.size(1), logits.size(2)});
  const auto [mean, std] = app::mean_and_std(logits.to_vector<float>());
  fmt::print("ids {} -> logits {}, mean {:.4f}, std {:.4f}\n", to_string(x.shape()),
             to_string(logits.shape()), mean, std);
  log.event("done", {{"logits", logits.shape()}, {"mean", mean}, {"std", std}});
}

}  // namespace

int main(int argc, char** argv) { return app::run("02_hf_weights", argc, argv, run); }
