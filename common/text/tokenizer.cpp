#include "common/text/tokenizer.h"

#include <array>
#include <filesystem>

#include "common/base/course_data.h"
#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/text/bpe.h"
#include "common/text/char_tokenizer.h"
#include "common/text/tokenizer_json.h"
#include "common/text/vocabulary.h"

namespace gpt2 {
namespace {

namespace fs = std::filesystem;

struct Paths {
  fs::path vocabulary, merges;
};

constexpr const char* kTokenizerJson = "tokenizer.json";

// The two files of the tokenizer in a folder; one of them may be missing.
std::optional<Paths> pair_in(const fs::path& folder) {
  for (const Paths& names : {Paths{"encoder.json", "vocab.bpe"}, Paths{"vocab.json", "merges.txt"}}) {
    Paths paths{folder / names.vocabulary, folder / names.merges};
    if (fs::exists(paths.vocabulary) || fs::exists(paths.merges)) return paths;
  }
  return std::nullopt;
}

TokenizerConfig config_in(const fs::path& folder) {
  TokenizerConfig config;
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const fs::path path = folder / name;
    if (fs::exists(path)) parse_tokenizer_config(read_text_file(path), path, config);
  }
  return config;
}

std::unique_ptr<Tokenizer> open_pair(const fs::path& folder, const Paths& paths) {
  const std::string json = read_text_file(paths.vocabulary);  // if it is missing, the message names it
  if (paths.vocabulary.filename() == "vocab.json" && !fs::exists(paths.merges))
    return std::make_unique<CharTokenizer>(parse_characters(json, paths.vocabulary));
  const TokenizerConfig config = config_in(folder);
  const fs::path added_path = folder / "added_tokens.json";
  std::vector<AddedToken> added;
  if (fs::exists(added_path)) added = parse_added_tokens(read_text_file(added_path), added_path);
  added.insert(added.end(), config.added.begin(), config.added.end());
  // An error may be the fault of either file.
  const std::string name =
      paths.vocabulary.string() + (fs::exists(added_path) ? " with added_tokens.json" : "");
  Vocabulary vocabulary = parse_vocabulary(json, name, std::move(added), config.named);
  std::vector<Merge> merges = parse_merges(read_text_file(paths.merges), paths.merges, vocabulary);
  require_all_made(vocabulary, merges, paths.merges);
  return std::make_unique<BpeTokenizer>(std::move(vocabulary), std::move(merges));
}

std::unique_ptr<Tokenizer> open_folder(const fs::path& folder) {
  const std::optional<Paths> found = pair_in(folder);
  const bool is_complete = found && fs::exists(found->vocabulary) && fs::exists(found->merges);
  const fs::path json = folder / kTokenizerJson;
  if (!is_complete && fs::exists(json))
    return parse_tokenizer_json(read_text_file(json), json, config_in(folder));
  if (found) return open_pair(folder, *found);
  fail(
      "{}: holds neither vocab.bpe and encoder.json nor merges.txt and vocab.json, nor tokenizer.json, nor "
      "vocab.json of --tokenizer char; ./course data gpt2 fetches GPT-2's",
      folder.string());
}

// The longest token of `tokens` with which `text` begins, or null.
const AddedToken* token_at_start(std::string_view text, const std::vector<AddedToken>& tokens) {
  const AddedToken* longest = nullptr;
  for (const AddedToken& token : tokens) {
    const bool is_longer = longest == nullptr || token.text.size() > longest->text.size();
    if (is_longer && text.starts_with(token.text)) longest = &token;
  }
  return longest;
}

}  // namespace

const std::vector<AddedToken>& Tokenizer::special_tokens() const {
  static const std::vector<AddedToken> none;
  return none;
}

std::vector<int32_t> Tokenizer::encode_documents(std::string_view text) const {
  std::array<std::vector<AddedToken>, 256> tokens;  // indexed by first byte
  if (reads_special_tokens_) {
    for (const AddedToken& token : special_tokens())
      tokens[static_cast<unsigned char>(token.text.front())].push_back(token);
  }
  std::vector<int32_t> ids;
  const auto add_ordinary = [&](std::string_view part) {
    const std::vector<int32_t> encoded = encode(part);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
  };
  size_t begin = 0;  // start of the ordinary text before `at`
  for (size_t at = 0; at < text.size();) {
    const AddedToken* token = token_at_start(text.substr(at), tokens[static_cast<unsigned char>(text[at])]);
    if (token == nullptr) {
      ++at;
      continue;
    }
    add_ordinary(text.substr(begin, at - begin));
    ids.push_back(token->id);
    begin = at += token->text.size();
  }
  add_ordinary(text.substr(begin));
  return ids;
}

std::string Tokenizer::join(std::span<const int32_t> ids, const std::vector<std::string>& bytes) {
  std::string text;
  for (const int32_t id : ids) {
    require(id >= 0 && static_cast<size_t>(id) < bytes.size(), "token id {} is outside the vocabulary ({})",
            id, bytes.size());
    text += bytes[id];
  }
  return text;
}

std::unique_ptr<Tokenizer> make_tokenizer(const std::string& spec, std::string_view corpus) {
  if (spec == "byte") return std::make_unique<BpeTokenizer>(byte_vocabulary(), std::vector<Merge>{});
  if (spec == "char") return std::make_unique<CharTokenizer>(characters_of(corpus));
  require(fs::is_directory(spec),
          "tokenizer {}: no such folder; give byte, char or a folder with vocab.bpe and encoder.json, or "
          "tokenizer.json{}",
          spec, how_to_download(spec));
  return open_folder(spec);
}

std::string identity(const Tokenizer& tokenizer) {
  Digest digest;
  for (const Tokenizer::File& file : tokenizer.files()) {
    digest.add(fmt::format("{} {}\n", file.name, file.text.size()));
    digest.add(file.text);
  }
  return fmt::format("{} ids, digest {}", tokenizer.vocab_size(), to_hex(digest.value()));
}

bool has_tokenizer(const std::string& folder) {
  return pair_in(folder).has_value() || fs::exists(fs::path(folder) / kTokenizerJson);
}

}  // namespace gpt2
