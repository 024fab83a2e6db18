// Files: a read-only mapping, reads at any offset, reading a whole small text file, and all-or-nothing
// writes.
//
// Every error names the path and the system's reason, and the ./course data command that downloads the file,
// if there is one. Only regular files are read: a pipe or a device is an error and never blocks, and a Git LFS
// pointer is an error. A file is never written in place: the bytes are written under a temporary name in the
// same folder, synced, and renamed, so a crash or a full disk leaves the old file unchanged.
//
// since 01_module
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/digest.h"

namespace gpt2 {

// A regular file that can be read at any offset for as long as the object lives, even if another file gets its
// name. If the file shrinks meanwhile, reading the missing bytes throws an Error; with a mapping it would crash
// the program.
class RandomAccessFile {
 public:
  explicit RandomAccessFile(std::string path);
  ~RandomAccessFile();
  RandomAccessFile(RandomAccessFile&& other) noexcept;
  RandomAccessFile& operator=(RandomAccessFile&& other) noexcept;

  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }  // at the time of opening

  // Fills `bytes` from the file, starting at `offset`.
  void read(int64_t offset, std::span<std::byte> bytes) const;

  // A value that changes when the file is written, renamed or linked, or when its owner or mode changes.
  struct Stamp {
    int64_t size = 0, modified_ns = 0, changed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  Stamp stamp() const;

  // Throws if the file was written to since it had this stamp.
  void require_unwritten(const Stamp& before) const;

  // Adds all bytes of the file to the digest.
  void add_to(Digest& digest) const;

  // Announces that `size` bytes at `offset` will be read soon: the system fetches them in the background.
  void will_need(int64_t offset, int64_t size) const;

 private:
  friend class MappedFile;
  std::string path_;
  int64_t size_ = 0;
  int descriptor_ = -1;
};

// A regular file mapped read-only for as long as the object lives; an empty file maps to an empty span. The
// system reads a page at the first access to it, so opening a 6 GB checkpoint takes no time. If the file shrinks,
// access to the missing bytes crashes the program; read() throws an Error instead.
class MappedFile {
 public:
  explicit MappedFile(std::string path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  const std::string& path() const { return file_.path(); }
  std::span<const std::byte> bytes() const { return bytes_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

  // Copies `part`, which lies within bytes(), to `copy` of the same size.
  void read(std::span<const std::byte> part, std::span<std::byte> copy) const;

  // Returns the digest of the file's bytes.
  uint64_t digest() const;

  // Throws if the file was written to since it was opened.
  void require_unwritten() const { file_.require_unwritten(stamp_); }

 private:
  RandomAccessFile file_;
  RandomAccessFile::Stamp stamp_;
  std::span<const std::byte> bytes_;
};

inline constexpr int64_t kAnySize = INT64_MAX;

// Returns the whole file as text. Throws if it is larger than `max_bytes` (configuration files are small), or if it
// was written to meanwhile.
std::string read_text_file(const std::string& path, int64_t max_bytes = 100'000'000);

// Returns the digest (common/base/digest.h) of the file's bytes.   since 13_fineweb
uint64_t digest_of_file(const std::string& path);

// Returns the absolute path without links, also of a file that does not exist; if that cannot be found out, the path as
// given.   since 13_fineweb
std::string full_path(const std::string& path);

// Syncs a folder: when this returns, the names in it are safe on disk.   since 13_fineweb
void sync_folder(const std::string& path);

// Writes a file that appears at `path` complete or not at all:
//   AtomicFile file(path);  file.write(header);  file.write(data);  file.commit();
// Without commit(), for example after an exception, the destructor removes the temporary file. If a process
// was killed, the next AtomicFile for the same path removes its temporary file. Throws if the path names
// something other than a regular file (a folder, a link, /dev/null).
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  uint64_t commit();  // returns the digest (common/base/digest.h) of the written bytes

 private:
  [[noreturn]] void fail_to(const char* action) const;

  std::string path_;
  std::string temporary_;  // empty after the rename
  int descriptor_ = -1;
  Digest digest_;
};

}  // namespace gpt2
