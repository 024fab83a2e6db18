// From a corpus to token shards, as the video's fineweb.py makes them: the ids of all documents in one row,
// cut into files of equal length, the first of which is for validation: PREFIX_val_000000.bin,
// PREFIX_train_000001.bin, ...
//
// One run at a time writes to a folder under one prefix. Files of others stay as they are, whatever their names.
//
// After each shard a manifest is written (PREFIX_manifest.json) that says where in the corpus the next
// begins: a run that was interrupted, however, goes on there, and ends with the same files as one that was
// not.
//
// since 13_fineweb
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gpt2 {

struct TokenizeOptions {
  std::vector<std::string> files;  // or patterns
  std::string tokenizer = "byte";
  std::string out;
  std::string prefix = "text";
  int64_t shard_tokens = 100'000'000;  // 200 MB, as the video has it
  int64_t val_tokens =
      -1;  // of the first shard; -1: as many as in the others, at most about a tenth; 0: no such shard
  int64_t threads = 0;  // 0: as many as there are cores
};

// Prints a line for each shard, and on a terminal how far it is.
void tokenize(const TokenizeOptions& options);

}  // namespace gpt2
