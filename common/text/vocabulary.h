// The vocabulary of a byte-level tokenizer: token ids 0..n-1 and the bytes that each stands for.
//
// Files write a token in GPT-2's byte alphabet, in which each of the 256 bytes is a printable character:
// '!'..'~', U+00A1..U+00AC and U+00AE..U+00FF stand for themselves, the other 68 bytes, in order, are
// U+0100..U+0143 (so a space is U+0120). A token's spelling is its bytes in that alphabet. An added token ([PAD],
// <|user|>) is written as it is, outside the alphabet.
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

// A token that is found in a text as it is written, before the text is cut into pieces and merged.
struct AddedToken {
  std::string text;
  int32_t id;
};

struct Vocabulary {
  std::string name;                // of the file, for messages
  std::vector<std::string> bytes;  // of each id
  std::unordered_map<std::string, int32_t>
      ids;                              // of each spelling; tokens that are only in `added` have none
  std::array<int32_t, 256> byte_ids{};  // of the token that is this one byte
  std::vector<AddedToken> added;        // sorted by id; <|endoftext|> is one if there is such a token
};

// The spelling of each id, from a JSON object {"spelling": id, ...} (encoder.json, vocab.json). Fails unless
// the ids are 0..n-1; `name` is the file that messages name.
std::vector<std::string> parse_spellings(std::string_view json, const std::string& name);

// The tokens of an object {"text": id, ...} (added_tokens.json). Throws unless the ids are integers; `name` is the file.
std::vector<AddedToken> parse_added_tokens(std::string_view json, const std::string& name);

// The vocabulary of such an object whose spellings are in the byte alphabet, and of the added tokens, which may be among
// the spellings, with the same id. Throws unless all ids together are 0..n-1 and every byte has a token.
Vocabulary make_vocabulary(nlohmann::json tokens, const std::vector<AddedToken>& added,
                           const std::string& name);
Vocabulary parse_vocabulary(std::string_view json, const std::string& name,
                            const std::vector<AddedToken>& added = {});

// 257 tokens, GPT-2's first 256 and its last: the bytes in the alphabet's order, then <|endoftext|>.
Vocabulary byte_vocabulary();

}  // namespace gpt2
