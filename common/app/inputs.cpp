#include "common/app/inputs.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include "common/base/course_data.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/base/text_file.h"
#include "common/data/file_kind.h"
#include "common/nn/checkpoints.h"
#include "common/nn/hf_config.h"
#include "common/nn/llmc_model.h"
#include "common/tales/tales.h"
#include "common/text/utf8.h"

namespace gpt2::app {
namespace {

// Whether config_named() of a step knows the name. A folder that only happens to have it is not meant.
bool is_size(const std::string& model) {
  const auto sizes = {"tiny", "baby", "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "d12"};
  return std::find(sizes.begin(), sizes.end(), model) != sizes.end();
}

// llm.c's names for sizes that config_named() has under another name: d and the number of layers.
std::string size_named(const std::string& model) {
  const std::map<std::string, std::string> names = {
      {"d24", "gpt2-medium"}, {"d36", "gpt2-large"}, {"d48", "gpt2-xl"}};
  const auto name = names.find(model);
  return name == names.end() ? model : name->second;
}

constexpr int64_t kGpt2Vocab = 50257;

constexpr size_t kTalesBytes = 4'000'000;  // the part of the endless stream that a run without --data reads

}  // namespace

bool is_directory(const std::string& model) {
  std::error_code none;
  const std::filesystem::path folder(model);
  return nn::is_llmc_model(model) ||
         (std::filesystem::is_directory(folder, none) &&
          (!is_size(size_named(model)) || std::filesystem::exists(folder / "config.json", none)));
}

std::string read_corpus(const std::string& data, const std::string& flag) {
  if (data == "tales") return tales(kTalesBytes);
  std::error_code none;
  require(data.find_first_of("*?[") == data.npos || std::filesystem::exists(data, none),
          "{} {}: a pattern; only 13_fineweb reads many files, token shards, where it ends in .bin or .npy{}",
          flag, data, how_to_download(data));
  const std::string file = read_text_file(data, kAnySize);
  require(!file.empty(), "{} {}: the file is empty", flag, data);
  const std::string kind = kind_unless_text(data, file);
  require(kind.empty(), "{} {}: {}", flag, data, kind);
  const std::string_view text = skip_byte_order_mark(file, fmt::format("{} {}", flag, data));
  require(!text.empty(), "{} {}: the file is empty", flag, data);
  return with_unix_lines(text);
}

bool resolve_model(Options& options) {
  std::error_code none;
  const std::string given = options.model;
  const std::filesystem::path path(given);
  const bool is_named = is_size(size_named(given));
  if (nn::is_llmc_model(given)) {
    read_hf_config(given);  // a file that is not llm.c's fails here
    return true;
  }
  require(is_named || !std::filesystem::is_regular_file(path, none),
          "--model {}: a file; give the folder that it is in (of llm.c the file itself, NAME.bin)", given);
  if (!is_directory(given)) {
    options.model = size_named(given);
    require(is_named || !std::filesystem::is_symlink(path, none),
            "--model {}: a link to {}, which does not exist{}", given,
            std::filesystem::read_symlink(path, none).string(), how_to_download(given));
    const bool is_path = given.find('/') != given.npos || given.starts_with('.');
    require(!is_path, "--model {}: no such folder{}", given, how_to_download(given));
    return false;
  }
  if (is_named) fmt::print("--model {}: the folder of this name, not the size\n", given);
  if (std::filesystem::exists(path / "config.json", none)) return true;
  const std::vector<std::string> checkpoints = nn::checkpoints_in(given);
  require(!checkpoints.empty(), "--model {}: the folder has neither a config.json nor checkpoints of a run{}",
          given, how_to_download(given));
  options.model = checkpoints.back();
  require(std::filesystem::is_regular_file(std::filesystem::path(options.model) / "state.json", none),
          "--model {}: its newest checkpoint {} has no state.json, so it is not as it was saved; give the "
          "checkpoint that "
          "you mean",
          given, options.model);
  fmt::print("--model {}: a run's folder; its newest checkpoint is {}\n", printable_line(given),
             printable_line(options.model));
  return true;
}

std::string default_tokenizer(const std::string& model) {
  if (!is_directory(model)) return "byte";
  if (!nn::is_llmc_model(model)) return model;
  const int64_t vocab_size = read_hf_config(model).vocab_size;
  require(
      vocab_size == kGpt2Vocab,
      "--model {}: llm.c's file has no tokenizer, and a vocabulary of {} is not GPT-2's; give --tokenizer",
      model, vocab_size);
  return in_repository("data/gpt2");
}

std::unique_ptr<Tokenizer> make_tokenizer(const Options& options, const std::string& corpus) {
  const bool is_default = options.tokenizer.empty();
  const std::string spec = is_default ? default_tokenizer(options.model) : options.tokenizer;
  const bool beside_weights = is_default && spec == options.model;
  if (is_default && nn::is_llmc_model(options.model))
    fmt::print("--model {}: llm.c's file has no tokenizer; GPT-2's is read from {}\n",
               printable_line(options.model), printable_line(spec));
  require(!beside_weights || has_tokenizer(options.model),
          "--model {}: the folder has no tokenizer (vocab.json and merges.txt, or tokenizer.json); copy the "
          "model's own into it, or give --tokenizer",
          options.model);
  if (!beside_weights) nn::require_undamaged(spec);  // otherwise nn::load() compares the whole folder
  auto tokenizer = gpt2::make_tokenizer(spec, corpus);
  tokenizer->read_special_tokens(options.special_tokens);
  return tokenizer;
}

void check_tokenizer(const Tokenizer& tokenizer, int64_t vocab_size) {
  require(tokenizer.base_size() <= vocab_size,
          "the tokenizer has {} ids, but the model has only {} rows for them: the two do not belong "
          "together; give "
          "the model's own with --tokenizer",
          tokenizer.base_size(), vocab_size);
}

std::vector<int32_t> encode(const Tokenizer& tokenizer, const std::string& text, int64_t vocab_size) {
  check_tokenizer(tokenizer, vocab_size);
  std::vector<int32_t> ids = tokenizer.encode_documents(text);
  for (const int32_t id : ids) {
    if (id >= vocab_size)
      fail(
          "--tokenizer: the added token {} has the id {}, the model only {} rows; remove it from the text, "
          "or give --special-tokens off",
          json_text(tokenizer.decode({{id}})), id, vocab_size);
  }
  return ids;
}

std::vector<int32_t> parse_ids(const std::string& flag, const std::string& text, int64_t vocab_size) {
  std::vector<int32_t> ids;
  const char *at = text.data(), *end = at + text.size();
  const auto skip_spaces = [&] { at = std::find_if(at, end, [](char c) { return c != ' ' && c != '\n'; }); };
  while (true) {
    skip_spaces();
    int32_t id = -1;
    const auto [stop, error] = std::from_chars(at, end, id);
    at = stop;
    skip_spaces();
    const bool is_end = at == end, is_comma = !is_end && *at == ',', is_separated = is_comma || at != stop;
    require(error == std::errc() && id >= 0 && id < vocab_size && (is_end || is_separated),
            "{} {}: expected ids from 0 to {}, separated by commas", flag, text, vocab_size - 1);
    ids.push_back(id);
    if (is_end) return ids;
    if (is_comma) ++at;
  }
}

std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, const std::string& prompt) {
  try {
    return tokenizer.encode(prompt);
  } catch (const Error&) {
    return {0};
  }
}

Tensor first_batch(const Options& options, std::vector<int32_t> ids, int64_t block_size) {
  const auto [B, T] = options.batch_shape(block_size);
  require(int64_t(ids.size()) / T >= B,
          "--data {}: {} tokens do not fill a batch of {} x {}; use a smaller --batch or --seq", options.data,
          ids.size(), B, T);
  ids.resize(size_t(B * T));
  return from_vector(ids, {B, T}, options.device());
}

}  // namespace gpt2::app
