#include "common/text/char_tokenizer.h"

#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "common/base/json.h"
#include "common/text/utf8.h"

namespace gpt2 {
namespace {

std::string_view first_character(std::string_view text) {
  const Utf8Unit unit = first_utf8_unit(text);
  return text.substr(0, unit.kind == Utf8Unit::Kind::valid ? unit.length : 1);
}

}  // namespace

CharTokenizer::CharTokenizer(std::string_view corpus) {
  require(!corpus.empty(), "tokenizer char: the text that it takes its characters from is empty");
  while (!corpus.empty()) {
    const std::string_view character = first_character(corpus);
    if (!ids_.contains(character)) ids_.emplace(character, 0);
    corpus.remove_prefix(character.size());
  }
  // The map's order, by bytes, is the code points' order: UTF-8 keeps it.
  for (auto& entry : ids_) {
    entry.second = static_cast<int32_t>(characters_.size());
    characters_.push_back(entry.first);
  }
}

std::vector<int32_t> CharTokenizer::encode(std::string_view text) const {
  std::vector<int32_t> ids;
  while (!text.empty()) {
    const std::string_view character = first_character(text);
    const auto found = ids_.find(character);
    if (found == ids_.end())
      fail("tokenizer char: {} is not among the {} characters of the training text",
           escaped(std::string(character)), vocab_size());
    ids.push_back(found->second);
    text.remove_prefix(character.size());
  }
  return ids;
}

std::string CharTokenizer::decode(std::span<const int32_t> ids) const { return join(ids, characters_); }

}  // namespace gpt2
