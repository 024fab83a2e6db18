// Token shards: a corpus as files of token ids, 16 bits each, for texts that do not fit in memory.
//
// Two formats are read: llm.c's .bin (256 int32: the magic number 20240520, version 1, how many ids follow;
// then the ids) and the video's .npy (an array of uint16). Both are little-endian, and neither is trusted:
// the header must agree with the file's size, and no id outside the vocabulary ever comes out. A file is read
// with pread, not mapped, so that one that shrinks under us is an error that names it.
//
// since 13_fineweb
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/base/file.h"

namespace gpt2 {

// Tells whether two runs read the same ids, wherever the files lie.
struct SourceIdentity {
  std::string name;  // of the file, without its folder
  int64_t tokens = 0;
  uint64_t samples = 0;  // digest (common/base/digest.h) of 16 pieces of a file, or of all ids of a text
  uint64_t content = 0;  // digest of all ids; 0: this rank has not read them all
  bool operator==(const SourceIdentity&) const = default;
};

// A row of token ids, wherever it is kept.
class TokenSource {
 public:
  virtual ~TokenSource() = default;

  virtual int64_t size() const = 0;

  virtual const SourceIdentity& identity() const = 0;

  // Tells the digest of all ids to a rank that has not read them all.
  virtual void set_content(uint64_t digest) = 0;

  // Writes the ids at begin, begin + 1, ...; begin + ids.size() <= size().
  virtual void read(int64_t begin, std::span<int32_t> ids) const = 0;

  // Says that these are read soon.
  virtual void will_need(int64_t begin, int64_t n) const = 0;
};

// Ids in memory: a text that was just encoded.
class TokenText final : public TokenSource {
 public:
  explicit TokenText(std::vector<int32_t> ids);

  int64_t size() const override { return int64_t(ids_.size()); }
  const SourceIdentity& identity() const override { return identity_; }
  void set_content(uint64_t) override {}
  void read(int64_t begin, std::span<int32_t> ids) const override;
  void will_need(int64_t, int64_t) const override {}

 private:
  std::vector<int32_t> ids_;
  SourceIdentity identity_;
};

struct ShardHeader {
  int64_t size = 0;   // bytes before the first id
  int64_t count = 0;  // of the ids
};

// Enough of a file's beginning for either header.
inline constexpr int64_t kMaxShardHeader = 10 + 65535;

// The header of a file of `file_size` bytes that begins with these (all of it, or kMaxShardHeader); errors
// begin with `where`.
ShardHeader parse_shard_header(std::span<const std::byte> beginning, int64_t file_size,
                               const std::string& where);

// One file of ids, open. Whatever is read is checked: ids are below `vocab_size`, and the file is the one that was
// opened. A file that was touched is read whole again: if its ids changed, or may have, the read is an Error.
class TokenShard final : public TokenSource {
 public:
  TokenShard(std::string path, int64_t vocab_size);

  const std::string& path() const { return file_.path(); }
  int64_t size() const override { return header_.count; }
  const SourceIdentity& identity() const override { return identity_; }
  void set_content(uint64_t digest) override { identity_.content = digest; }
  void read(int64_t begin, std::span<int32_t> ids) const override;
  void will_need(int64_t begin, int64_t n) const override;

  // Reads all of it once, for its digest and its errors: train_0007.bin: token 50391 at offset 104857 is outside the
  // vocabulary
  void check();

 private:
  uint64_t digest_of_samples() const;
  uint64_t digest_of_all() const;
  void read_checked(int64_t begin, std::span<uint16_t> ids) const;
  void require_unchanged() const;

  RandomAccessFile file_;
  mutable RandomAccessFile::Stamp stamp_;  // when the ids were last known to be the same
  int64_t vocab_size_;
  ShardHeader header_;
  SourceIdentity identity_;
};

// Whether --data names shards: its last letters are .bin or .npy.
bool names_shards(const std::string& data);

// The files that a pattern of the shell matches, sorted; a pattern without * ? [ is a file's name. Fails if
// there are none.
std::vector<std::string> expand_pattern(const std::string& pattern);

using TokenSources = std::vector<std::unique_ptr<TokenSource>>;

// A text as the only source.
TokenSources text_source(std::vector<int32_t> ids);

// Opens the shards that `pattern` matches. Each is read whole for its errors by one of the `world` ranks
// (which also brings it into the system's cache): a damaged file is found before the first step, not at
// night.
TokenSources open_shards(const std::string& pattern, int64_t vocab_size, int rank = 0, int world = 1);

// Writes llm.c's format, all or nothing.
void write_shard(const std::string& path, std::span<const uint16_t> ids);

}  // namespace gpt2
