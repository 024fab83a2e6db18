// Token shards: a corpus as files of 16-bit token ids, for texts that do not fit in memory.
//
// Two formats are read: llm.c's .bin (256 int32: the magic number 20240520, version 1, the number of ids;
// then the ids) and the video's .npy (an array of uint16). Both are little-endian, and neither is trusted:
// the header must match the file's size, and an id outside the vocabulary is an error. A file is read with
// pread, not mapped: if it shrinks while it is read, the error names it.
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

// The identity of a source, to compare whether two runs read the same ids, independent of the files' folder.
struct SourceIdentity {
  std::string name;  // the file's name without its folder
  int64_t tokens = 0;
  uint64_t samples = 0;  // digest (common/base/digest.h) of 16 pieces of the file, or of all ids of a text
  uint64_t content = 0;  // digest of all ids; 0: this rank has not read them all
  bool operator==(const SourceIdentity&) const = default;
};

// A sequence of token ids, in memory or in a file.
class TokenSource {
 public:
  virtual ~TokenSource() = default;

  virtual int64_t size() const = 0;

  virtual const SourceIdentity& identity() const = 0;

  // Sets the digest of all ids, on a rank that has not read them all.
  virtual void set_content(uint64_t digest) = 0;

  // Fills `ids` with the ids at begin, begin + 1, ...; begin + ids.size() <= size().
  virtual void read(int64_t begin, std::span<int32_t> ids) const = 0;

  // Announces that these ids will be read soon.
  virtual void will_need(int64_t begin, int64_t n) const = 0;
};

// Ids in memory: those of an encoded text.
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
  int64_t count = 0;  // number of ids
};

// Number of bytes that is enough for either header.
inline constexpr int64_t kMaxShardHeader = 10 + 65535;

// Parses the header of a file of `file_size` bytes from its beginning (the whole file or at least
// kMaxShardHeader bytes). Throws if the header is invalid; messages begin with `where`.
ShardHeader parse_shard_header(std::span<const std::byte> beginning, int64_t file_size,
                               const std::string& where);

// An open file of ids. Every read is checked: the ids must be below `vocab_size`, and the file must not have
// changed since it was opened. If the file was touched, it is read completely again; if its ids changed, or
// may have changed, the read throws.
class TokenShard final : public TokenSource {
 public:
  TokenShard(std::string path, int64_t vocab_size);

  const std::string& path() const { return file_.path(); }
  int64_t size() const override { return header_.count; }
  const SourceIdentity& identity() const override { return identity_; }
  void set_content(uint64_t digest) override { identity_.content = digest; }
  void read(int64_t begin, std::span<int32_t> ids) const override;
  void will_need(int64_t begin, int64_t n) const override;

  // Reads the whole file once to compute its digest. Throws if an id is invalid: train_0007.bin: token 50391
  // at offset 104857 is outside the vocabulary
  void check();

 private:
  uint64_t digest_of_samples() const;
  uint64_t digest_of_all() const;
  void read_checked(int64_t begin, std::span<uint16_t> ids) const;
  void require_unchanged() const;

  RandomAccessFile file_;
  mutable RandomAccessFile::Stamp stamp_;  // the file's stamp when its ids were last checked
  int64_t vocab_size_;
  ShardHeader header_;
  SourceIdentity identity_;
};

// Returns whether --data names shards: it ends in .bin or .npy.
bool names_shards(const std::string& data);

// Returns the files that match a shell pattern, sorted; a pattern without * ? [ is a file name. Throws if
// there are none.
std::vector<std::string> expand_pattern(const std::string& pattern);

using TokenSources = std::vector<std::unique_ptr<TokenSource>>;

// A text as the only source.
TokenSources text_source(std::vector<int32_t> ids);

// Opens the shards that `pattern` matches; throws if these are training and validation shards. One of the `world`
// ranks reads each shard completely to check it, so that a damaged file is found before the first step.
TokenSources open_shards(const std::string& pattern, int64_t vocab_size, int rank = 0, int world = 1);

// Writes a shard in llm.c's format, all or nothing. Returns the file's digest (common/base/digest.h).
uint64_t write_shard(const std::string& path, std::span<const uint16_t> ids);

}  // namespace gpt2
