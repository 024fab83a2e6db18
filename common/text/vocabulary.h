// The vocabulary of a byte-level tokenizer: the token ids 0..n-1 and the bytes of each.
//
// Files spell a token in GPT-2's byte alphabet, which has a printable character for each of the 256 bytes:
// '!'..'~', U+00A1..U+00AC and U+00AE..U+00FF stand for themselves; the other 68 bytes, in order, are
// U+0100..U+0143 (so a space is U+0120). An added token ([PAD], <|user|>) is written literally, not in this
// alphabet.
//
// since 03_sampling
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gpt2 {

// A token that is matched literally in a text, before the text is cut into pieces and merged.
struct AddedToken {
  std::string text;
  int32_t id;
};

// A token that a file names without its id. `where` is the file and the setting, for messages.
struct NamedToken {
  std::string where, text;
};

struct Vocabulary {
  std::string name;                // the file's name, for messages
  std::vector<std::string> bytes;  // bytes of each id
  std::unordered_map<std::string, int32_t>
      ids;                              // id of each spelling, without tokens that are only in `added`
  std::array<int32_t, 256> byte_ids{};  // for each byte, the id of its one-byte token
  std::vector<AddedToken> added;        // sorted by id; includes <|endoftext|> if it exists
};

// Returns the spelling of each id from a JSON object {"spelling": id, ...} (encoder.json, vocab.json). Throws
// unless the ids are 0..n-1; the message begins with `name`, the file.
std::vector<std::string> parse_spellings(std::string_view json, const std::string& name);

// Returns the tokens of an object {"text": id, ...} (added_tokens.json). Throws unless the ids are integers;
// `name` is the file.
std::vector<AddedToken> parse_added_tokens(std::string_view json, const std::string& name);

// Returns the vocabulary of spellings in the byte alphabet and of added tokens. An added token may also be
// one of the spellings, with the same id; a `named` token is one of either kind and is matched literally, as
// an added token is. Throws unless all ids together are 0..n-1, every byte has a token and every named token
// has an id.
Vocabulary make_vocabulary(nlohmann::json tokens, std::vector<AddedToken> added, const std::string& name,
                           const std::vector<NamedToken>& named = {});
Vocabulary parse_vocabulary(std::string_view json, const std::string& name,
                            std::vector<AddedToken> added = {}, const std::vector<NamedToken>& named = {});

// Returns 257 tokens, GPT-2's first 256 and its last: the bytes in the alphabet's order, then <|endoftext|>.
Vocabulary byte_vocabulary();

}  // namespace gpt2
