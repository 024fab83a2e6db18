// One token per character, as nanoGPT's data/shakespeare_char: the vocabulary is the corpus' distinct
// characters in the order of their code points. A byte that is not valid UTF-8 is a character of its own,
// so that decode(encode(x)) == x for any text of those characters. There is no <|endoftext|>.
//
// In a file a character is spelled as itself, and such a byte, which JSON cannot hold, as SentencePiece does:
// "<0xFF>", which is no character's spelling, as it is longer than one.
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

// The characters of a text, each once, in the order of their code points.
std::vector<std::string> characters_of(std::string_view corpus);

// The character of each id, from a JSON object {"character": id, ...} (vocab.json). Fails unless the ids are
// 0..n-1 and each key is one character; `name` is the file that messages name.   since 13_fineweb
std::vector<std::string> parse_characters(std::string_view json, const std::string& name);

class CharTokenizer final : public Tokenizer {
 public:
  explicit CharTokenizer(std::vector<std::string> characters);  // of each id, all different

  // Fails where the text has a character that the corpus has not.
  std::vector<int32_t> encode(std::string_view text) const override;
  std::string decode(std::span<const int32_t> ids) const override;
  int64_t vocab_size() const override { return static_cast<int64_t>(characters_.size()); }
  std::optional<int32_t> end_of_text() const override { return std::nullopt; }
  std::vector<File> files() const override;  // vocab.json

 private:
  std::vector<std::string> characters_;              // of each id
  std::map<std::string, int32_t, std::less<>> ids_;  // of each character
};

}  // namespace gpt2
