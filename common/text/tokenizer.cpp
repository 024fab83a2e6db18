#include "common/text/tokenizer.h"

#include <filesystem>

#include "common/base/course_data.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/text/bpe.h"
#include "common/text/char_tokenizer.h"
#include "common/text/vocabulary.h"

namespace gpt2 {
namespace {

namespace fs = std::filesystem;

struct Paths {
  fs::path vocabulary, merges;
};

// The files of the tokenizer in a folder; one of the two may be missing.
std::optional<Paths> tokenizer_in(const fs::path& folder) {
  for (const Paths& names : {Paths{"encoder.json", "vocab.bpe"}, Paths{"vocab.json", "merges.txt"}}) {
    Paths paths{folder / names.vocabulary, folder / names.merges};
    if (fs::exists(paths.vocabulary) || fs::exists(paths.merges)) return paths;
  }
  return std::nullopt;
}

std::unique_ptr<Tokenizer> open_folder(const std::string& folder) {
  const std::optional<Paths> found = tokenizer_in(folder);
  if (!found)
    fail(
        "{}: holds neither vocab.bpe and encoder.json nor merges.txt and vocab.json, nor vocab.json of "
        "--tokenizer char; ./course data gpt2 fetches GPT-2's",
        folder);
  const auto& [vocabulary_path, merges_path] = *found;
  const std::string json = read_text_file(vocabulary_path);  // whose message names it if it is missing
  if (vocabulary_path.filename() == "vocab.json" && !fs::exists(merges_path))
    return std::make_unique<CharTokenizer>(parse_characters(json, vocabulary_path));
  Vocabulary vocabulary = parse_vocabulary(json, vocabulary_path);
  std::vector<Merge> merges = parse_merges(read_text_file(merges_path), merges_path, vocabulary);
  return std::make_unique<BpeTokenizer>(std::move(vocabulary), std::move(merges));
}

}  // namespace

std::vector<int32_t> Tokenizer::encode_documents(std::string_view text) const {
  const std::optional<int32_t> separator = end_of_text();
  if (!separator) return encode(text);
  std::vector<int32_t> ids;
  for (;;) {
    const size_t end = text.find(kEndOfText);
    const std::vector<int32_t> document = encode(text.substr(0, end));
    ids.insert(ids.end(), document.begin(), document.end());
    if (end == text.npos) return ids;
    ids.push_back(*separator);
    text.remove_prefix(end + kEndOfText.size());
  }
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
          "tokenizer {}: no such folder; give byte, char or a folder with vocab.bpe and encoder.json{}", spec,
          how_to_download(spec));
  return open_folder(spec);
}

bool has_tokenizer(const std::string& folder) { return tokenizer_in(folder).has_value(); }

}  // namespace gpt2
