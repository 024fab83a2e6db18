// What a run of tokenize leaves beside its shards: what they were made of, which are whole, where the next
// begins.
//
// since 13_fineweb
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/data/documents.h"

namespace gpt2 {

// A token of a corpus: the `skip`-th of the block that begins here in this file.
struct Place {
  size_t file = 0;
  BlockStart start;
  int64_t skip = 0;
};

struct Manifest {
  struct Shard {
    std::string file;  // within the folder
    int64_t tokens = 0;
  };

  nlohmann::ordered_json settings;  // what must not change between two runs
  std::vector<Shard> shards;
  Place next;
  bool done = false;
};

void write_manifest(const std::string& path, const Manifest& manifest);

// What the manifest at `path` says of the shards. Fails if its settings are not `settings`, naming the first
// that differs, or if a shard beside it is missing or has another length.
Manifest read_manifest(const std::string& path, const nlohmann::ordered_json& settings);

}  // namespace gpt2
