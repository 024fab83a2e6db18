#include "common/text/char_tokenizer.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "common/base/error.h"
#include "common/base/json.h"
#include "common/text/utf8.h"
#include "common/text/vocabulary.h"

namespace gpt2 {
namespace {

std::string_view first_character(std::string_view text) {
  const Utf8Unit unit = first_utf8_unit(text);
  return text.substr(0, unit.kind == Utf8Unit::Kind::valid ? unit.length : 1);
}

std::string spelling_of(const std::string& character) {
  if (valid_utf8_prefix(character) == character.size()) return character;
  return fmt::format("<0x{:02X}>", static_cast<unsigned char>(character[0]));
}

// The inverse; a spelling is valid UTF-8 (checked by parse_json).
std::string character_of(const std::string& spelling, const std::string& name) {
  if (!spelling.empty() && first_character(spelling).size() == spelling.size()) return spelling;
  for (int byte = 0x80; byte < 0x100; ++byte) {
    const std::string character(1, static_cast<char>(byte));
    if (spelling == spelling_of(character)) return character;
  }
  fail("{}: token {} is not one character; only a vocab.json of --tokenizer char needs no merges.txt", name,
       escaped(spelling));
}

}  // namespace

std::vector<std::string> characters_of(std::string_view corpus) {
  require(!corpus.empty(), "tokenizer char: the text that it takes its characters from is empty");
  std::set<std::string, std::less<>> characters;
  while (!corpus.empty()) {
    const std::string_view character = first_character(corpus);
    if (!characters.contains(character)) characters.emplace(character);
    corpus.remove_prefix(character.size());
  }
  // The set is sorted by bytes; in UTF-8 this is also the order of code points.
  return {characters.begin(), characters.end()};
}

std::vector<std::string> parse_characters(std::string_view json, const std::string& name) {
  std::vector<std::string> characters = parse_spellings(json, name);
  require(!characters.empty(), "{}: holds no characters", name);
  for (std::string& character : characters) character = character_of(character, name);
  return characters;
}

CharTokenizer::CharTokenizer(std::vector<std::string> characters) : characters_(std::move(characters)) {
  for (const std::string& character : characters_) ids_.emplace(character, static_cast<int32_t>(ids_.size()));
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

std::vector<Tokenizer::File> CharTokenizer::files() const {
  nlohmann::json vocabulary;
  for (const auto& [character, id] : ids_) vocabulary[spelling_of(character)] = id;
  return {{"vocab.json", vocabulary.dump() + "\n"}};
}

}  // namespace gpt2
