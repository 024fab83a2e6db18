#include "common/base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "common/base/course_data.h"
#include "common/base/error.h"
#include "common/base/os.h"

namespace gpt2 {
namespace {

// Closes the descriptor if an exception is thrown.
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

int open_to_read(const std::string& path) {
  // O_NONBLOCK: without it, opening a pipe blocks until there is a writer. Regular files and folders ignore
  // the flag.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const int reason = errno;
    fail("{}: cannot open: {}{}", path, std::strerror(reason), reason == ENOENT ? how_to_download(path) : "");
  }
  return descriptor;
}

// Removes the temporary files of killed processes for `path`. A process that is still writing holds a lock on
// its file.
void remove_stale_temporaries(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(path).parent_path();
  const std::string beginning = fs::path(path).filename().string() + ".tmp.";
  std::error_code none;  // entries that cannot be listed or opened are kept
  for (fs::directory_iterator entry(folder.empty() ? "." : folder, none), end; entry != end;
       entry.increment(none)) {
    const std::string name = entry->path().filename();
    const bool is_temporary = name.starts_with(beginning) && name.size() > beginning.size() &&
                              name.find_first_not_of("0123456789", beginning.size()) == name.npos;
    if (!is_temporary) continue;
    const Descriptor file{::open(entry->path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    if (file.value >= 0 && ::flock(file.value, LOCK_EX | LOCK_NB) == 0) ::unlink(entry->path().c_str());
  }
}

int64_t nanoseconds(const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder; name a file in it";
  if (S_ISFIFO(mode)) return "a pipe; write its contents to a file first";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

// Git clones a repository's large files as short texts that stand for them, unless git-lfs is installed.
void refuse_pointer(const Descriptor& file, int64_t size, const std::string& path) {
  constexpr std::string_view kBeginning = "version https://git-lfs.";
  constexpr int64_t kLargestPointer = 1024;
  char beginning[kBeginning.size()];
  if (size > kLargestPointer || ::pread(file.value, beginning, sizeof beginning, 0) != sizeof beginning)
    return;
  require(std::string_view(beginning, sizeof beginning) != kBeginning,
          "{}: a Git LFS pointer, not the file itself; fetch that with: git lfs pull", path);
}

// The size of a file in bytes. Throws if it is not a regular file or only a Git LFS pointer.
int64_t size_of(const Descriptor& file, const std::string& path) {
  struct stat info {};
  const bool is_known = ::fstat(file.value, &info) == 0;
  require(is_known, "{}: cannot examine: {}", path, std::strerror(errno));
  require(S_ISREG(info.st_mode), "{}: not a regular file but {}", path, kind_of(info.st_mode));
  refuse_pointer(file, info.st_size, path);
  return info.st_size;
}

}  // namespace

RandomAccessFile::RandomAccessFile(std::string path) : path_(std::move(path)) {
  Descriptor file{open_to_read(path_)};
  size_ = size_of(file, path_);
  descriptor_ = std::exchange(file.value, -1);
}

RandomAccessFile::~RandomAccessFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

RandomAccessFile::RandomAccessFile(RandomAccessFile&& other) noexcept
    : path_(std::move(other.path_)), size_(other.size_), descriptor_(std::exchange(other.descriptor_, -1)) {}

RandomAccessFile& RandomAccessFile::operator=(RandomAccessFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(size_, other.size_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

void RandomAccessFile::read(int64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t n = ::pread(descriptor_, bytes.data(), bytes.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    require(n >= 0, "{}: cannot read: {}", path_, std::strerror(errno));
    require(n > 0, "{}: ends at byte {}, while it is read; it had {} bytes before", path_, offset, size_);
    bytes = bytes.subspan(static_cast<size_t>(n));
    offset += n;
  }
}

RandomAccessFile::Stamp RandomAccessFile::stamp() const {
  struct stat info {};
  const bool is_known = ::fstat(descriptor_, &info) == 0;
  require(is_known, "{}: cannot examine: {}", path_, std::strerror(errno));
  return {info.st_size, nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
}

void RandomAccessFile::will_need(int64_t offset, int64_t size) const {
  os::read_ahead(descriptor_, offset, size);
}

void RandomAccessFile::require_unwritten(const Stamp& before) const {
  const Stamp now = stamp();
  require(now.size == before.size && now.modified_ns == before.modified_ns,
          "{}: another program wrote to it while it was read; run again when it is complete", path_);
}

void RandomAccessFile::add_to(Digest& digest) const {
  std::vector<std::byte> chunk(size_t(std::min<int64_t>(size_, 1 << 20)));
  for (int64_t begin = 0; begin < size_; begin += int64_t(chunk.size())) {
    const auto bytes = std::span(chunk).first(size_t(std::min(size_ - begin, int64_t(chunk.size()))));
    read(begin, bytes);
    digest.add(bytes);
  }
}

MappedFile::MappedFile(std::string path) : file_(std::move(path)), stamp_(file_.stamp()) {
  const auto size = static_cast<size_t>(file_.size());
  if (size == 0) return;  // mmap refuses length 0
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file_.descriptor_, 0);
  require(address != MAP_FAILED, "{}: cannot map: {}", file_.path(), std::strerror(errno));
  bytes_ = {static_cast<const std::byte*>(address), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : file_(std::move(other.file_)), stamp_(other.stamp_), bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(stamp_, other.stamp_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void MappedFile::read(std::span<const std::byte> part, std::span<std::byte> copy) const {
  file_.read(part.data() - bytes_.data(), copy);
}

uint64_t MappedFile::digest() const {
  Digest digest;
  file_.add_to(digest);
  return digest.value();
}

std::string read_text_file(const std::string& path, int64_t max_bytes) {
  const RandomAccessFile file(path);
  const RandomAccessFile::Stamp before = file.stamp();
  require(file.size() <= max_bytes, "{}: larger than {} bytes; is this the file that was meant?", path,
          max_bytes);
  std::string text(size_t(file.size()), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  file.require_unwritten(before);
  return text;
}

uint64_t digest_of_file(const std::string& path) {
  Digest digest;
  RandomAccessFile(path).add_to(digest);
  return digest.value();
}

std::string full_path(const std::string& path) {
  std::error_code error;
  const std::filesystem::path whole =
      std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  return error ? path : whole.string();
}

void sync_folder(const std::string& path) {
  const Descriptor entries{open_to_read(path)};
  // EINVAL: some network file systems cannot sync a folder and do not need it.
  const bool synced = ::fsync(entries.value) == 0 || errno == EINVAL;
  require(synced, "{}: the folder cannot be synced: {}", path, std::strerror(errno));
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  struct stat info {};
  const bool exists = ::lstat(path_.c_str(), &info) == 0;
  // A rename onto /dev/null or a link would replace the device or the link itself.
  require(!exists || S_ISREG(info.st_mode), "{}: cannot write: not a regular file; name another one", path_);
  remove_stale_temporaries(path_);
  temporary_ = fmt::format("{}.tmp.{}", path_, ::getpid());
  // A temporary file with this process's number belongs to a dead process: overwrite it.
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_to("create");
  ::flock(descriptor_,
          LOCK_EX | LOCK_NB);  // a file system without locks also has no clean-up
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_to("write");
    digest_.add(bytes.first(static_cast<size_t>(n)));
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

uint64_t AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail_to("write");
  // A network file system may report a full disk only here.
  if (::close(std::exchange(descriptor_, -1)) != 0) fail_to("write");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_to("write");
  temporary_.clear();
  // The new name is an entry of the folder: it survives a power cut once the folder is synced as well.
  const auto folder = std::filesystem::path(path_).parent_path();
  sync_folder(folder.empty() ? "." : folder.string());
  return digest_.value();
}

void AtomicFile::fail_to(const char* action) const {
  const int reason = errno;
  const bool full = reason == ENOSPC || reason == EDQUOT;
  fail("{}: cannot {}: {}{}; nothing was changed", path_, action, std::strerror(reason),
       full ? " (make room and run again)" : "");
}

}  // namespace gpt2
