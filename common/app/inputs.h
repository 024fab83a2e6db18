// What a program reads: a text, its tokenizer, token ids.
//
// since 01_module
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/app/options.h"
#include "common/tensor/tensor.h"
#include "common/text/tokenizer.h"

namespace gpt2::app {

// True if --model names a Hugging Face directory rather than a size.
bool is_directory(const std::string& model);

// Returns whether --model names a folder rather than a size. For the folder of a run (--out of 13_fineweb) it sets
// --model to the newest checkpoint in it and prints which one that is. Throws if there is no such folder, or nothing to
// load in it; the message says how to download it where ./course data can.
bool resolve_model(Options& options);

// Returns the text that this flag names: tales (the embedded corpus) or a file. Throws if the file is empty or is
// recognisably no text (common/data/file_kind.h); the message says what to use instead.
std::string read_corpus(const std::string& data, const std::string& flag = "--data");

// The tokenizer that --tokenizer names, or by default the one beside the model's weights, or byte.
std::unique_ptr<Tokenizer> make_tokenizer(const Options& options, const std::string& corpus);

// The token ids in "464,3290" or "464 3290". Throws if an entry is not a token id below `vocab_size`; the message names
// `flag`.
std::vector<int32_t> parse_ids(const std::string& flag, const std::string& text, int64_t vocab_size);

// The token ids of a text, for a model with this vocabulary. Fails if the tokenizer has ids that it has not.
std::vector<int32_t> encode(const Tokenizer& tokenizer, const std::string& text, int64_t vocab_size);

// The ids of a prompt; id 0 alone if the tokenizer does not have its characters (--tokenizer char).
std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, const std::string& prompt);

// The first B x T token ids, on the device that runs -> (B, T). Fails if there are fewer.
Tensor first_batch(const Options& options, std::vector<int32_t> ids, int64_t block_size);

}  // namespace gpt2::app
