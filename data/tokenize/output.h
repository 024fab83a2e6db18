// The folder that tokenize writes to: who may write there, and the shards in it.
//
// since 13_fineweb
#pragma once

#include <cstdint>
#include <filesystem>
#include <future>
#include <span>
#include <string>
#include <vector>

#include "data/tokenize/manifest.h"
#include "data/tokenize/tokenize.h"

namespace gpt2 {

// --out for as long as one run writes to it. A folder that this run made and put nothing into goes again at the end.
class OutputFolder {
 public:
  // Makes the folder, and keeps other runs with the same --prefix out of it. Throws if one is at work there.
  explicit OutputFolder(const TokenizeOptions& options);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  // Removes the temporary files that a killed run left. Throws if a shard is here that `made` does not list, other than
  // the next one: it may be whole while the manifest does not know it yet.
  void clean(const std::vector<Manifest::Shard>& made, bool has_manifest) const;

 private:
  void make_folders();
  void lock();

  const TokenizeOptions& options_;
  std::vector<std::filesystem::path> made_;  // deepest first
  std::filesystem::path lock_path_;
  int lock_ = -1;
};

// Ids in, shards out, each written while the next is filled.
class Shards {
 public:
  Shards(const TokenizeOptions& options, Manifest manifest);

  // Takes the ids of the block at `place`, of which the first place.skip are in a shard already.
  void add(Place place, std::span<const int32_t> ids);

  // Makes what is left the last shard. Throws, having written nothing, if the corpus is empty or has nothing beyond the
  // validation tokens.
  void finish(const Place& end);

 private:
  bool is_val() const { return number_ == 0; }
  int64_t capacity() const { return is_val() ? options_.val_tokens : options_.shard_tokens; }
  void write(const Place& next, bool last);
  void wait();

  const TokenizeOptions& options_;
  Manifest manifest_;
  size_t number_;  // of the shard that is being filled
  std::vector<uint16_t> buffer_;
  std::future<void> writing_;  // waits at its destruction: the last member
};

}  // namespace gpt2
