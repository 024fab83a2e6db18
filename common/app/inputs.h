// The inputs of a program: a text, its tokenizer, token ids.
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

// True if --model names weights rather than a size: a Hugging Face directory, or llm.c's model file
// (common/nn/llmc_model.h).
bool is_directory(const std::string& model);

// Returns whether --model names weights rather than a size. If it is the folder of a run (--out of
// 13_fineweb), sets --model to the newest checkpoint in it and prints that choice. llm.c's names d24, d36 and d48
// become ours for the same sizes. Throws if the folder does not exist or has nothing to load; if ./course data can
// download it, the message says how.
bool resolve_model(Options& options);

// Returns the text that the flag names: tales (the embedded corpus) or a file. Removes a byte order mark and
// reads "\r\n" as "\n". Throws if the file is empty or is not a text file (common/data/file_kind.h); the
// message says what to use instead.
std::string read_corpus(const std::string& data, const std::string& flag = "--data");

// Returns what --tokenizer is by default: the folder that --model names; GPT-2's for llm.c's model file, which has none
// beside it; byte if --model is a size. Throws if the vocabulary of llm.c's file is not GPT-2's.
std::string default_tokenizer(const std::string& model);

// Returns the tokenizer that --tokenizer names, by default default_tokenizer(). Throws if the folder has no tokenizer.
std::unique_ptr<Tokenizer> make_tokenizer(const Options& options, const std::string& corpus);

// Returns the token ids in "464,3290" or "464 3290". Throws if an entry is not a token id below `vocab_size`;
// the message names `flag`.
std::vector<int32_t> parse_ids(const std::string& flag, const std::string& text, int64_t vocab_size);

// Throws if the tokenizer does not fit a model with `vocab_size` rows: it has more ids than that, not
// counting added tokens.
void check_tokenizer(const Tokenizer& tokenizer, int64_t vocab_size);

// Returns the token ids of a text (Tokenizer::encode_documents) for a model with `vocab_size` rows. Throws if
// check_tokenizer() does, or if the text contains an added token without a row in the model.
std::vector<int32_t> encode(const Tokenizer& tokenizer, const std::string& text, int64_t vocab_size);

// Returns the ids of a prompt; just id 0 if the tokenizer does not know its characters (--tokenizer char).
std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, const std::string& prompt);

// Returns the first B x T token ids, on the current device -> (B, T). Throws if there are fewer.
Tensor first_batch(const Options& options, std::vector<int32_t> ids, int64_t block_size);

}  // namespace gpt2::app
