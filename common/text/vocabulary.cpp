#include "common/text/vocabulary.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "common/base/error.h"
#include "common/base/json.h"
#include "common/text/tokenizer.h"
#include "common/text/utf8.h"

namespace gpt2 {
namespace {

constexpr size_t kMaxTokens = 1 << 24;  // larger than any real vocabulary
constexpr const char* kNoVocabulary = "{}: not a vocabulary, which is a JSON object of tokens and their ids";

// Every character of the alphabet is below U+0800.
std::string utf8_of(unsigned code_point) {
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  return {static_cast<char>(0xC0 | code_point >> 6), static_cast<char>(0x80 | (code_point & 0x3F))};
}

using Symbol = std::pair<unsigned char, std::string>;  // a byte and the character that stands for it

// Sorted by the alphabet, which is the order of GPT-2's first 256 ids.
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

// The bytes of a spelling, which is valid UTF-8 (checked by parse_json); nothing if a character is not in the
// alphabet.
std::optional<std::string> bytes_of(const std::string& spelling) {
  static const auto bytes = [] {
    std::unordered_map<std::string, char> map;
    for (const Symbol& symbol : byte_alphabet()) map.emplace(symbol.second, symbol.first);
    return map;
  }();
  std::string result;
  for (size_t at = 0; at < spelling.size();) {
    const size_t length = first_utf8_unit(std::string_view(spelling).substr(at)).length;
    const auto found = bytes.find(spelling.substr(at, length));
    if (found == bytes.end()) return std::nullopt;
    result += found->second;
    at += length;
  }
  return result;
}

[[noreturn]] void refuse_spelling(const std::string& spelling, const std::string& name) {
  for (size_t at = 0; at < spelling.size();) {
    const size_t length = first_utf8_unit(std::string_view(spelling).substr(at)).length;
    const std::string character = spelling.substr(at, length);
    if (!bytes_of(character))
      fail("{}: token {} has the character {}, which stands for no byte", name, escaped(spelling),
           escaped(character));
    at += length;
  }
  fail("{}: token {} stands for no bytes", name, escaped(spelling));
}

// Reads an id of a vocabulary of `size` tokens.
int32_t parse_id(const nlohmann::json& value, const std::string& spelling, size_t size,
                 const std::string& name) {
  if (!value.is_number_integer())
    fail("{}: token {} has the id {}, which is not an integer", name, escaped(spelling), escaped(value));
  // A negative number becomes a large one, which is out of range too.
  if (value.get<uint64_t>() >= size)
    fail("{}: token {} has the id {}; {} tokens have the ids 0 to {}", name, escaped(spelling),
         escaped(value), size, size - 1);
  return value.get<int32_t>();
}

// The spelling of each id.
std::vector<std::string> spellings_of(const nlohmann::json& tokens, const std::string& name) {
  require(tokens.is_object(), kNoVocabulary, name);
  std::vector<const std::string*> owner(tokens.size(), nullptr);
  for (auto token = tokens.begin(); token != tokens.end(); ++token) {
    const std::string& spelling = token.key();
    const int32_t id = parse_id(token.value(), spelling, tokens.size(), name);
    if (owner[id] != nullptr)
      fail("{}: tokens {} and {} have the same id {}", name, escaped(*owner[id]), escaped(spelling), id);
    owner[id] = &spelling;
  }
  // All ids are below the number of tokens and no two are equal, so every id has a token.
  std::vector<std::string> spellings;
  spellings.reserve(owner.size());
  for (const std::string* spelling : owner) spellings.push_back(*spelling);
  return spellings;
}

// Appends the named tokens to `added`, with their ids in `tokens`. transformers gives a token without an id the
// next free one, for which a model need not have a row.
void give_ids(const std::vector<NamedToken>& named, const nlohmann::json& tokens, const std::string& name,
              std::vector<AddedToken>& added) {
  for (const auto& [where, text] : named) {
    const auto has_text = [&text = text](const AddedToken& token) { return token.text == text; };
    if (std::any_of(added.begin(), added.end(), has_text)) continue;
    const auto found = tokens.find(text);
    if (found == tokens.end())
      fail("{} is {}, which has no id in {}; add it there with its id, or remove the setting", where,
           escaped(text), name);
    added.push_back({text, parse_id(*found, text, kMaxTokens, name)});
  }
}

void find_bytes(Vocabulary& vocabulary) {
  for (const Symbol& symbol : byte_alphabet()) {
    const auto found = vocabulary.ids.find(symbol.second);
    require(found != vocabulary.ids.end(),
            "{}: byte {:#04x} has no token; a byte-level vocabulary has all 256", vocabulary.name,
            symbol.first);
    vocabulary.byte_ids[symbol.first] = found->second;
  }
}

}  // namespace

std::vector<std::string> parse_spellings(std::string_view json, const std::string& name) {
  return spellings_of(parse_json(json, name), name);
}

std::vector<AddedToken> parse_added_tokens(std::string_view json, const std::string& name) {
  const nlohmann::json tokens = parse_json(json, name);
  require(tokens.is_object(), "{}: not added tokens, which are a JSON object of tokens and their ids", name);
  std::vector<AddedToken> added;
  for (const auto& token : tokens.items())
    added.push_back({token.key(), parse_id(token.value(), token.key(), kMaxTokens, name)});
  return added;
}

Vocabulary make_vocabulary(nlohmann::json tokens, std::vector<AddedToken> added, const std::string& name,
                           const std::vector<NamedToken>& named) {
  require(tokens.is_object(), kNoVocabulary, name);
  give_ids(named, tokens, name, added);
  std::set<std::string> only_added;
  std::set<int32_t> added_ids;
  for (const AddedToken& token : added) {
    added_ids.insert(token.id);
    require(!token.text.empty(), "{}: the added token with the id {} has no text", name, token.id);
    if (!tokens.contains(token.text)) {
      only_added.insert(token.text);
      tokens[token.text] = token.id;
    } else if (tokens[token.text] != token.id) {
      fail("{}: token {} has two ids, {} and {}", name, escaped(token.text), escaped(tokens[token.text]),
           token.id);
    }
  }
  Vocabulary vocabulary{.name = name, .bytes = {}, .ids = {}, .added = {}};
  for (const std::string& spelling : spellings_of(tokens, name)) {
    const auto id = static_cast<int32_t>(vocabulary.bytes.size());
    const bool is_added = spelling == kEndOfText || added_ids.contains(id);
    const bool is_spelled = !only_added.contains(spelling);
    if (is_added) vocabulary.added.push_back({spelling, id});
    if (is_spelled) vocabulary.ids.emplace(spelling, id);
    const std::optional<std::string> bytes = is_spelled ? bytes_of(spelling) : std::nullopt;
    if (!bytes && !is_added) refuse_spelling(spelling, name);
    vocabulary.bytes.push_back(bytes.value_or(spelling));
  }
  find_bytes(vocabulary);
  return vocabulary;
}

Vocabulary parse_vocabulary(std::string_view json, const std::string& name, std::vector<AddedToken> added,
                            const std::vector<NamedToken>& named) {
  return make_vocabulary(parse_json(json, name), std::move(added), name, named);
}

Vocabulary byte_vocabulary() {
  nlohmann::json tokens;
  for (const Symbol& symbol : byte_alphabet()) tokens.emplace(symbol.second, tokens.size());
  tokens.emplace(kEndOfText, tokens.size());
  return parse_vocabulary(tokens.dump(), "byte");
}

}  // namespace gpt2
