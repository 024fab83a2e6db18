// tokenizer.json, the file in which the tokenizers library saves a whole tokenizer. The format has many kinds
// of tokenizers; this reads only GPT-2's, byte-level BPE, as saved by GPT2TokenizerFast. transformers reads
// two more files beside it, or beside vocab.json and merges.txt: tokenizer_config.json and
// special_tokens_map.json.
//
// since 03_sampling
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/text/bpe.h"

namespace gpt2 {

// What the files beside a tokenizer say about tokens that are matched literally.
struct TokenizerConfig {
  std::vector<AddedToken> added;  // with the ids that the files give them
  std::vector<NamedToken> named;
};

// Adds what a tokenizer_config.json or special_tokens_map.json says to `config`. Throws on every setting that
// would make transformers' ids differ from ours, or separate documents by another token than <|endoftext|>;
// the message names the setting. `name` is the file.
void parse_tokenizer_config(std::string_view json, const std::string& name, TokenizerConfig& config);

// Returns the tokenizer in the text of a tokenizer.json. Throws on any other kind, and on every setting that
// would make the ids differ from transformers' ids; the message names the setting. `name` is the file.
std::unique_ptr<BpeTokenizer> parse_tokenizer_json(std::string_view json, const std::string& name,
                                                   const TokenizerConfig& config = {});

}  // namespace gpt2
