#include "common/training/dataset.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "common/app/inputs.h"
#include "common/base/error.h"
#include "common/base/file.h"

namespace gpt2::training {
namespace {

// Where the last tenth of a text begins: between two characters, and not inside <|endoftext|>.
size_t validation_begin(const std::string& text) {
  if (text.size() < 4) return text.size();
  size_t at = text.size() / 10 * 9 + text.size() % 10 * 9 / 10;
  for (int i = 0; i < 3 && (text[at] & 0xC0) == 0x80; ++i) --at;  // back to the start of a UTF-8 character
  const size_t before = std::min(at, kEndOfText.size() - 1);
  const size_t found = text.find(kEndOfText, at - before);
  return found < at ? found : at;
}

// Throws if a source of the validation data is trained on, too.
void require_held_out(const Dataset& dataset, const std::string& val_data) {
  for (const auto& val : dataset.val) {
    for (const auto& train : dataset.train) {
      const SourceIdentity &a = val->identity(), &b = train->identity();
      require(
          a.tokens != b.tokens || a.samples != b.samples,
          "--val-data {}: {} is in --data as well, so its loss would not be that of new text; give other "
          "text{}",
          val_data, a.name == "text" ? "the text" : a.name,
          names_shards(val_data) ? "" : ", or leave out --val-data, then a tenth of --data is kept for it");
    }
  }
}

}  // namespace

std::string read_text(const app::Options& options) {
  if (!names_shards(options.data)) return app::read_corpus(options.data);
  require(options.tokenizer != "char",
          "--tokenizer char: --data names shards, which have no text to take characters from; give a folder");
  return "";
}

Dataset open_dataset(const app::Options& options, const RunOptions& run, const std::string& text,
                     const Tokenizer& tokenizer, int64_t vocab_size, const dist::ProcessGroup& group) {
  const auto open = [&](const std::string& part) {
    return text_source(app::encode(tokenizer, part, vocab_size));
  };
  const auto open_files = [&](const std::string& pattern) {
    return open_shards(pattern, std::min(vocab_size, tokenizer.vocab_size()), group.rank(),
                       group.world_size());
  };
  app::check_tokenizer(tokenizer, vocab_size);
  const bool of_shards = names_shards(options.data), validates = run.val_every > 0;
  require(!validates || !of_shards || !run.val_data.empty(),
          "--val-every: --data names shards, and there is no --val-data; give a shard for validation");
  require(validates || run.val_data.empty(), "--val-data: say how often it is measured, with --val-every");
  const bool splits = validates && run.val_data.empty();
  const size_t end = splits ? validation_begin(text) : text.size();
  Dataset dataset;
  dataset.train = of_shards ? open_files(options.data) : open(text.substr(0, end));
  if (splits) {
    dataset.val = open(text.substr(end));
  } else if (validates) {
    dataset.val = names_shards(run.val_data) ? open_files(run.val_data)
                                             : open(app::read_corpus(run.val_data, "--val-data"));
    require_held_out(dataset, run.val_data);
  }
  return dataset;
}

std::optional<TokenLoader> open_val_loader(TokenSources val, TokenLoader::Settings settings) {
  if (val.empty()) return std::nullopt;
  settings.order = DataOrder::video;
  try {
    return std::optional<TokenLoader>(std::in_place, std::move(val), settings);
  } catch (const Error& error) {
    fail("validation (--val-data, or the last tenth of --data): {}", error.what());
  }
}

std::optional<HellaSwag> open_hellaswag(const RunOptions& run, const Tokenizer& tokenizer, int64_t block_size,
                                        const dist::ProcessGroup& group) {
  require(run.hellaswag_every == 0 || !run.hellaswag.empty(),
          "--hellaswag-every: give the file with --hellaswag; ./course data hellaswag fetches it");
  require(run.hellaswag_every > 0 || run.hellaswag.empty(),
          "--hellaswag: say how often it is scored, with --hellaswag-every");
  if (run.hellaswag_every == 0) return std::nullopt;
  std::optional<HellaSwag> hellaswag(std::in_place, run.hellaswag, tokenizer, block_size, group.rank(),
                                     group.world_size());
  std::array<double, 3> sums = {double(hellaswag->num_items()), double(hellaswag->truncated()),
                                double(hellaswag->skipped())};
  group.all_reduce(std::span(sums));
  require(sums[0] > 0, "--hellaswag {}: no item fits into the model's block size {}", run.hellaswag,
          block_size);
  if (sums[1] + sums[2] > 0) {
    fmt::print(
        "HellaSwag: {} contexts are cut to the model's block size; {} items do not fit and are skipped\n",
        sums[1], sums[2]);
  }
  return hellaswag;
}

}  // namespace gpt2::training
