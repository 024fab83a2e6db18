// The manifest that tokenize writes beside its shards: their settings, the complete shards, and where the
// next shard begins.
//
// A run may continue another one only from the same texts with the same tokenizer. So the manifest has the
// digests (common/base/digest.h) of the texts, the tokenizer and the shards, and its own.
//
// since 13_fineweb
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/data/documents.h"
#include "data/tokenize/tokenize.h"

namespace gpt2 {

// The position of a token in a corpus: token number `skip` of the block that begins here in this file.
struct Place {
  size_t file = 0;
  BlockStart start;
  int64_t skip = 0;
};

struct Manifest {
  struct Shard {
    std::string file;  // name within the folder
    int64_t tokens = 0;
    uint64_t digest = 0;  // of the file
  };

  nlohmann::ordered_json settings;  // settings that must not change between two runs
  std::vector<Shard> shards;
  Place next;
  bool done = false;
};

// OUT/PREFIX_manifest.json
std::string manifest_path(const TokenizeOptions& options);

// PREFIX_val_000000.bin for number 0, PREFIX_train_000001.bin for 1, and so on.
std::string shard_name(const std::string& prefix, size_t number);

void write_manifest(const std::string& path, const Manifest& manifest);

// Returns the --val-tokens of the run that wrote the manifest at `path`.
int64_t val_tokens_in(const std::string& path);

// Reads the manifest at `path` for the shards of `options`. Throws if a setting differs from `settings` (the
// message names the first), if a shard beside it is missing or changed, or if its content cannot come from
// tokenize.
Manifest read_manifest(const std::string& path, const nlohmann::ordered_json& settings,
                       const TokenizeOptions& options);

}  // namespace gpt2
