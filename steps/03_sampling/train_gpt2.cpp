// Samples continuations of a prompt from GPT-2.
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "common/app/inputs.h"
#include "common/app/log.h"
#include "common/tensor/rows.h"
#include "common/text/sampling.h"
#include "common/text/utf8.h"
#include "gpt2.h"

namespace {

struct Options : app::Options {
  std::string prompt = "Hello, I'm a language model,";
  std::string ids;
  std::optional<std::string> print_ids;
  int64_t num_sequences = 5, max_tokens = 32, top_k = 50;
  double temperature = 1;

  void add_to(app::CommandLine& flags) {
    app::Options::add_to(flags);
    flags.group("Sampling");
    flags.add("--prompt", prompt, "the text to continue; <|endoftext|> in it begins a new document");
    flags.add("--ids", ids, "token ids to continue instead of a prompt: 464,3290")
        .placeholder("IDS")
        .excludes({"--prompt"});
    flags.add("--print-ids", print_ids, "print the token ids of this text, as --ids reads them, and exit")
        .may_be_empty()
        .excludes({"--prompt", "--ids"});
    flags.add("--num-sequences", num_sequences, 1, 1 << 16, "number of continuations");
    flags.add("--max-tokens", max_tokens, 1, 1 << 20, "tokens to add to the prompt");
    flags.add("--top-k", top_k, 1, 1 << 24, "draw each token from the N most likely ones");
    flags.add("--temperature", temperature, 1e-3, 1e3,
              "sampling temperature: below 1 prefers likely tokens, above 1 unlikely ones");
  }
};

// The prompt's ids, repeated for every sequence -> (num_sequences, T)
Tensor prompt_ids(const Options& options, const Tokenizer& tokenizer, int64_t vocab_size) {
  const int64_t num_ids = num_drawable_ids(tokenizer, vocab_size);
  const std::vector<int32_t> prompt = options.ids.empty() ? app::encode(tokenizer, options.prompt, vocab_size)
                                                          : app::parse_ids("--ids", options.ids, num_ids);
  require(!prompt.empty(), "--prompt: the text is empty; give at least one character");
  std::vector<int32_t> rows;
  for (int64_t i = 0; i < options.num_sequences; ++i) rows.insert(rows.end(), prompt.begin(), prompt.end());
  return from_vector(rows, {options.num_sequences, int64_t(prompt.size())}, options.device());
}

// Adds max_tokens ids to each row of x (B, T), and prints the first row as it grows.
Tensor generate(GPT& model, Tensor x, const Options& options, const Tokenizer& tokenizer) {
  Generator generator(options.seed);
  Utf8Stream stream;
  const int64_t B = x.size(0), num_ids = num_drawable_ids(tokenizer, model.config.vocab_size);
  fmt::print("> {}", printable(stream.push(tokenizer.decode(row(x, 0)))));
  for (int64_t i = 0; i < options.max_tokens; ++i) {
    const Tensor logits = model(last(x, model.config.block_size));   // (B, T, vocab_size)
    const Tensor last_row = logits.slice(1, logits.size(1) - 1, 1);  // (B, 1, vocab_size)
    const Tensor next = last_row.slice(2, 0, num_ids).contiguous().view({B, num_ids});
    const Tensor probs = softmax(next / options.temperature);            // (B, num_ids)
    const auto [topk_probs, topk_indices] = topk(probs, options.top_k);  // (B, k)
    const Tensor ix = multinomial(topk_probs, generator);                // (B, 1)
    const Tensor xcol = gather(topk_indices, ix);                        // (B, 1)
    x = cat(x, xcol);
    fmt::print("{}", printable(stream.push(tokenizer.decode(row(xcol, 0)))));
    app::flush_output();
  }
  fmt::print("{}\n", stream.finish());
  return x;
}

void run(app::CommandLine& flags) {
  Options options;
  options.add_to(flags);
  flags.parse();
  const bool pretrained = app::resolve_model(options);
  app::Log log(options.log);
  const std::string text = app::read_corpus(options.data);
  const auto tokenizer = app::make_tokenizer(options, text);
  if (options.print_ids) {
    fmt::print("{}\n", fmt::join(tokenizer->encode_documents(*options.print_ids), ","));
    return;
  }
  const GPTConfig config =
      pretrained ? config_from(options.model) : config_named(options.model, tokenizer->vocab_size());
  app::check_tokenizer(*tokenizer, config.vocab_size);
  const Tensor x = prompt_ids(options, *tokenizer, config.vocab_size);  // (num_sequences, T)

  nn::manual_seed(options.seed);
  GPT model(config);
  if (pretrained) nn::load(model, options.model);
  model.to(options.device());
  log.config(options, model);

  const NoGrad no_grad;
  const Tensor y = generate(model, x, options, *tokenizer);
  for (int64_t i = 0; i < options.num_sequences; ++i) {
    const std::string sample = to_utf8(tokenizer->decode(row(y, i)));
    if (i > 0) fmt::print("> {}\n", printable(sample));
    log.event("sample", {{"ids", row(y, i)}, {"text", sample}});
  }
  log.event("done", {{"sequences", options.num_sequences}, {"tokens", y.size(1)}});
}

}  // namespace

int main(int argc, char** argv) { return app::run(GPT2_STEP, argc, argv, run); }
