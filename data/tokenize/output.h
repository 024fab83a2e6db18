// The folder that tokenize writes to: its lock, and the shards in it.
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

// The folder --out while a run writes to it. A folder that this run created and that is still empty at the
// end is removed.
class OutputFolder {
 public:
  // Creates the folder and locks it against other runs with the same --prefix. Throws if another run holds
  // the lock.
  explicit OutputFolder(const TokenizeOptions& options);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  // Removes the temporary files of a killed run. Throws if the folder has a shard that `made` does not list,
  // except the next one: that one may be complete but not yet in the manifest.
  void clean(const std::vector<Manifest::Shard>& made, bool has_manifest) const;

 private:
  void make_folders();
  void lock();

  const TokenizeOptions& options_;
  std::vector<std::filesystem::path> made_;  // deepest first
  std::filesystem::path lock_path_;
  int lock_ = -1;
};

// Writes ids to shards. A shard is written while the next one is filled.
class Shards {
 public:
  Shards(const TokenizeOptions& options, Manifest manifest);

  // Adds the ids of the block at `place`, without the first place.skip ids, which are already in a shard.
  void add(Place place, std::span<const int32_t> ids);

  // Writes the remaining ids as the last shard. Throws, without writing anything, if the corpus is empty or
  // has no more than the validation tokens.
  void finish(const Place& end);

 private:
  bool is_val() const { return number_ == 0; }
  int64_t capacity() const { return is_val() ? options_.val_tokens : options_.shard_tokens; }
  void write(const Place& next, bool last);
  void wait();

  const TokenizeOptions& options_;
  Manifest manifest_;
  size_t number_;  // number of the shard that is being filled
  std::vector<uint16_t> buffer_;
  std::future<void> writing_;  // its destructor waits, so it is the last member
};

}  // namespace gpt2
