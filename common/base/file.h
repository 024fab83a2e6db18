// Files: a read-only mapping, reads at any place, a small text file read whole, and a write that either
// happens or does not.
//
// Every error names the path and the system's reason, and how to download what ./course data can bring. Only
// regular files are read: a pipe or a device is an error, and never makes the reader wait. A file is never written in place: the bytes go to
// a temporary name in the same folder, are synced, and take the final name in one rename, so that a
// crash or a full disk leaves what was there before.
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

// A regular file mapped read-only for as long as the object lives; an empty file maps to an empty span.
// The pages are read when they are touched, so a 6 GB checkpoint costs nothing to open.
class MappedFile {
 public:
  explicit MappedFile(std::string path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

 private:
  std::string path_;
  std::span<const std::byte> bytes_;
};

// A regular file that is read at any place, for as long as the object lives. Other than a mapping it may
// shrink meanwhile: the read that no longer finds its bytes is an Error, not the end of the program.
// since 13_fineweb
class RandomAccessFile {
 public:
  explicit RandomAccessFile(std::string path);
  ~RandomAccessFile();
  RandomAccessFile(RandomAccessFile&& other) noexcept;
  RandomAccessFile& operator=(RandomAccessFile&& other) noexcept;

  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }  // when it was opened

  // Fills `bytes` with what stands at `offset`.
  void read(int64_t offset, std::span<std::byte> bytes) const;

  // Changes when the file is written to; also when it is renamed or linked, or its owner or mode changes.
  struct Stamp {
    int64_t size = 0, modified_ns = 0, changed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  Stamp stamp() const;

  // Says that `size` bytes at `offset` are read soon: the system fetches them meanwhile.
  void will_need(int64_t offset, int64_t size) const;

 private:
  std::string path_;
  int64_t size_ = 0;
  int descriptor_ = -1;
};

// Returns the whole file as text. Throws if it is larger than `max_bytes` (a configuration is not).
std::string read_text_file(const std::string& path, int64_t max_bytes = 100'000'000);

// Returns when the names in a folder will survive a power cut.   since 13_fineweb
void sync_folder(const std::string& path);

// Writes a file that appears at `path` complete or not at all:
//   AtomicFile file(path);  file.write(header);  file.write(data);  file.commit();
// Without commit() (an exception on the way, say) the destructor removes the temporary file; one that a killed process
// left is removed by the next AtomicFile for the same path. A path that names something other than a regular file (a
// folder, a link, /dev/null) is refused.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  uint64_t commit();  // returns the digest (common/base/digest.h) of what was written

 private:
  [[noreturn]] void fail_to(const char* action) const;

  std::string path_;
  std::string temporary_;  // empty once renamed
  int descriptor_ = -1;
  Digest digest_;
};

}  // namespace gpt2
