#include "common/text/tokenizer.h"

#include <filesystem>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/text/bpe.h"
#include "common/text/char_tokenizer.h"
#include "common/text/vocabulary.h"

namespace gpt2 {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<Tokenizer> open_folder(const std::string& folder) {
  struct Names {
    const char *vocabulary, *merges;
  };
  for (const Names names : {Names{"encoder.json", "vocab.bpe"}, Names{"vocab.json", "merges.txt"}}) {
    const fs::path vocabulary_path = fs::path(folder) / names.vocabulary;
    const fs::path merges_path = fs::path(folder) / names.merges;
    // One without the other is for the reader's message, which names the missing file.
    if (!fs::exists(vocabulary_path) && !fs::exists(merges_path)) continue;
    Vocabulary vocabulary = parse_vocabulary(read_text_file(vocabulary_path), vocabulary_path);
    std::vector<Merge> merges = parse_merges(read_text_file(merges_path), merges_path, vocabulary);
    return std::make_unique<BpeTokenizer>(std::move(vocabulary), std::move(merges));
  }
  fail(
      "{}: holds neither vocab.bpe and encoder.json nor merges.txt and vocab.json; ./course data gpt2 "
      "fetches GPT-2's",
      folder);
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
  if (spec == "char") return std::make_unique<CharTokenizer>(corpus);
  require(fs::is_directory(spec),
          "tokenizer {}: no such folder; give byte, char or a folder with vocab.bpe and encoder.json", spec);
  return open_folder(spec);
}

}  // namespace gpt2
