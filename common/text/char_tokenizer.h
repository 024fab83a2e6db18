// One token per character, as nanoGPT's data/shakespeare_char: the vocabulary is the corpus' distinct
// characters in the order of their code points. A byte that is not valid UTF-8 is a character of its own,
// so that decode(encode(x)) == x for any text of those characters. There is no <|endoftext|>.
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

class CharTokenizer final : public Tokenizer {
 public:
  explicit CharTokenizer(std::string_view corpus);

  // Fails where the text has a character that the corpus has not.
  std::vector<int32_t> encode(std::string_view text) const override;
  std::string decode(std::span<const int32_t> ids) const override;
  int64_t vocab_size() const override { return static_cast<int64_t>(characters_.size()); }
  std::optional<int32_t> end_of_text() const override { return std::nullopt; }

 private:
  std::vector<std::string> characters_;              // of each id
  std::map<std::string, int32_t, std::less<>> ids_;  // of each character
};

}  // namespace gpt2
