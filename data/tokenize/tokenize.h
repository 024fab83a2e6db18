// Makes token shards from a corpus, as the video's fineweb.py: the ids of all documents are concatenated and
// cut into files of equal length. The first file is for validation: PREFIX_val_000000.bin,
// PREFIX_train_000001.bin, ...
//
// Only one run at a time may write to a folder under the same prefix. Other files in the folder are never
// changed.
//
// After each shard, a manifest (PREFIX_manifest.json) records where in the corpus the next shard begins. A
// run that was interrupted in any way continues there and produces the same files as an uninterrupted run. It
// is refused if a text, the tokenizer or a finished shard is no longer the same; the folder in which the
// texts or the tokenizer are does not matter.
//
// since 13_fineweb
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gpt2 {

struct TokenizeOptions {
  std::vector<std::string> files;  // file names or patterns
  std::string tokenizer = "byte";
  std::string out;
  std::string prefix = "text";
  int64_t shard_tokens = 100'000'000;  // 200 MB, as in the video
  int64_t val_tokens = -1;             // of the first shard; -1: at most about a tenth of the corpus; 0: none
  int64_t threads = 0;                 // 0: one per core
};

// Prints a line for each shard, and on a terminal the progress.
void tokenize(const TokenizeOptions& options);

}  // namespace gpt2
