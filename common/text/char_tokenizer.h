// One token per character, as nanoGPT's data/shakespeare_char: the vocabulary is the set of the corpus'
// characters, sorted by code point. A byte that is not valid UTF-8 counts as a character, so that
// decode(encode(x)) == x for any text of those characters. There is no <|endoftext|>.
//
// In a file a character stands for itself. JSON cannot hold an invalid byte, so it is written as in
// SentencePiece: "<0xFF>". That cannot be confused with a character, because it is longer than one character.
//
// since 03_sampling
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/text/tokenizer.h"

namespace gpt2 {

// Returns the distinct characters of a text, sorted by code point.
std::vector<std::string> characters_of(std::string_view corpus);

// Returns the character of each id from a JSON object {"character": id, ...} (vocab.json). Throws unless
// the ids are 0..n-1 and each key is one character; the message begins with `name`, the file.
// since 13_fineweb
std::vector<std::string> parse_characters(std::string_view json, const std::string& name);

class CharTokenizer final : public Tokenizer {
 public:
  explicit CharTokenizer(std::vector<std::string> characters);  // one for each id, all different

  // Throws if the text has a character that is not in the vocabulary.
  std::vector<int32_t> encode(std::string_view text) const override;
  std::string decode(std::span<const int32_t> ids) const override;
  int64_t vocab_size() const override { return static_cast<int64_t>(characters_.size()); }
  std::optional<int32_t> end_of_text() const override { return std::nullopt; }
  std::vector<File> files() const override;  // vocab.json

 private:
  std::vector<std::string> characters_;              // character of each id
  std::map<std::string, int32_t, std::less<>> ids_;  // id of each character
};

}  // namespace gpt2
