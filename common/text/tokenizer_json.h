// tokenizer.json, the one file in which the tokenizers library keeps a whole tokenizer. It can describe many kinds; read
// is GPT-2's, byte-level BPE, as GPT2TokenizerFast saves it.
//
// since 03_sampling
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/text/bpe.h"

namespace gpt2 {

// The tokenizer in the text of a tokenizer.json. Throws on any other kind, and on every setting that would make the ids
// differ from those that transformers gives; the message names the setting. `name` is the file.
std::unique_ptr<BpeTokenizer> parse_tokenizer_json(std::string_view json, const std::string& name);

}  // namespace gpt2
