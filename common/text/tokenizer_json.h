// tokenizer.json, the file in which the tokenizers library saves a whole tokenizer. The format has many kinds
// of tokenizers; this reads only GPT-2's, byte-level BPE, as saved by GPT2TokenizerFast.
//
// since 03_sampling
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/text/bpe.h"

namespace gpt2 {

// Returns the tokenizer in the text of a tokenizer.json. Throws on any other kind, and on every setting that
// would make the ids differ from transformers' ids; the message names the setting. `name` is the file.
std::unique_ptr<BpeTokenizer> parse_tokenizer_json(std::string_view json, const std::string& name);

}  // namespace gpt2
