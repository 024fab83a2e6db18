#include "common/text/vocabulary.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/error.h"
#include "common/base/json.h"
#include "common/text/tokenizer.h"
#include "common/text/utf8.h"

namespace gpt2 {
namespace {

// The alphabet has no character above U+07FF.
std::string utf8_of(unsigned code_point) {
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  return {static_cast<char>(0xC0 | code_point >> 6), static_cast<char>(0x80 | (code_point & 0x3F))};
}

using Symbol = std::pair<unsigned char, std::string>;  // a byte and the character that stands for it

// In the alphabet's order, which is the order of GPT-2's first 256 ids.
std::vector<Symbol> byte_alphabet() {
  const auto stands_for_itself = [](unsigned byte) {
    return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
  };
  std::vector<Symbol> symbols;
  for (unsigned byte = 0; byte < 256; ++byte)
    if (stands_for_itself(byte)) symbols.emplace_back(byte, utf8_of(byte));
  for (unsigned byte = 0, next = 0x100; byte < 256; ++byte)
    if (!stands_for_itself(byte)) symbols.emplace_back(byte, utf8_of(next++));
  return symbols;
}

// The bytes of a spelling, which is valid UTF-8 (parse_json saw to it).
std::string bytes_of(const std::string& spelling, const std::string& name) {
  static const auto bytes = [] {
    std::unordered_map<std::string, char> map;
    for (const Symbol& symbol : byte_alphabet()) map.emplace(symbol.second, symbol.first);
    return map;
  }();
  std::string result;
  for (size_t at = 0; at < spelling.size();) {
    const size_t length = first_utf8_unit(std::string_view(spelling).substr(at)).length;
    const std::string character = spelling.substr(at, length);
    const auto found = bytes.find(character);
    if (found == bytes.end())
      fail("{}: token {} has the character {}, which stands for no byte", name, escaped(spelling),
           escaped(character));
    result += found->second;
    at += character.size();
  }
  return result;
}

// An id of a vocabulary of `size` tokens.
int32_t parse_id(const nlohmann::json& value, const std::string& spelling, size_t size,
                 const std::string& name) {
  if (!value.is_number_integer())
    fail("{}: token {} has the id {}, which is not an integer", name, escaped(spelling), escaped(value));
  // A negative number becomes a large one, and both are out of range.
  if (value.get<uint64_t>() >= size)
    fail("{}: token {} has the id {}; {} tokens have the ids 0 to {}", name, escaped(spelling),
         escaped(value), size, size - 1);
  return value.get<int32_t>();
}

}  // namespace

std::vector<std::string> parse_spellings(std::string_view json, const std::string& name) {
  const nlohmann::json tokens = parse_json(json, name);
  require(tokens.is_object(), "{}: not a vocabulary, which is a JSON object of tokens and their ids", name);
  std::vector<const std::string*> owner(tokens.size(), nullptr);
  for (auto token = tokens.begin(); token != tokens.end(); ++token) {
    const std::string& spelling = token.key();
    const int32_t id = parse_id(token.value(), spelling, tokens.size(), name);
    if (owner[id] != nullptr)
      fail("{}: tokens {} and {} have the same id {}", name, escaped(*owner[id]), escaped(spelling), id);
    owner[id] = &spelling;
  }
  // As many ids as tokens, none twice: none is free.
  std::vector<std::string> spellings;
  spellings.reserve(owner.size());
  for (const std::string* spelling : owner) spellings.push_back(*spelling);
  return spellings;
}

Vocabulary parse_vocabulary(std::string_view json, const std::string& name) {
  Vocabulary vocabulary{.name = name, .bytes = {}, .ids = {}};
  for (const std::string& spelling : parse_spellings(json, name)) {
    vocabulary.ids.emplace(spelling, static_cast<int32_t>(vocabulary.bytes.size()));
    vocabulary.bytes.push_back(bytes_of(spelling, name));
  }
  for (const Symbol& symbol : byte_alphabet()) {
    const auto found = vocabulary.ids.find(symbol.second);
    require(found != vocabulary.ids.end(),
            "{}: byte {:#04x} has no token; a byte-level vocabulary has all 256", name, symbol.first);
    vocabulary.byte_ids[symbol.first] = found->second;
  }
  return vocabulary;
}

Vocabulary byte_vocabulary() {
  nlohmann::json tokens;
  for (const Symbol& symbol : byte_alphabet()) tokens.emplace(symbol.second, tokens.size());
  tokens.emplace(kEndOfText, tokens.size());
  return parse_vocabulary(tokens.dump(), "byte");
}

}  // namespace gpt2
