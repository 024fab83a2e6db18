#include "common/app/log_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/app/interrupt.h"
#include "common/app/program.h"
#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/file.h"
#include "common/text/utf8.h"

namespace gpt2::app {
namespace {

namespace fs = std::filesystem;

bool is_pipe(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISFIFO(info.st_mode);
}

void put_contents(const std::string& path, std::string_view bytes) {
  AtomicFile file(full_path(path));  // which would replace a symbolic link
  file.write(bytes);
  file.commit();
}

bool has_checkpoints(std::string_view log) {
  constexpr std::string_view kEvent = "{\"event\":\"checkpoint\"";
  return log.starts_with(kEvent) || log.find("\n" + std::string(kEvent)) != log.npos;
}

}  // namespace

struct LogFile::Open {
  int descriptor = -1;
  bool is_file = false;  // not a pipe or a device
  int64_t bytes = 0;
  Digest digest;
  std::string pending;  // lines that are not in the file yet

  Open() = default;
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;
  ~Open() { ::close(descriptor); }
};

LogFile::LogFile(std::string path) : path_(std::move(path)) {
  if (path_.empty()) return;
  open();
  if (!open_->is_file) return;
  if (has_checkpoints(read_text_file(path_, kAnySize))) {
    const std::string aside = keep_aside(path_);
    write_output(fmt::format("--log {}: the log of a run with checkpoints; it is now {}\n",
                             printable_line(path_), printable_line(aside)));
  }
  const bool is_empty = ::ftruncate(open_->descriptor, 0) == 0;
  require(is_empty, "--log {}: {}", path_, std::strerror(errno));
}

LogFile::LogFile(std::string path, std::string_view contents) : path_(std::move(path)) {
  open();  // also tells whether another run is writing there
  if (!open_->is_file || read_text_file(path_, kAnySize) != contents) {
    put_contents(path_, contents);
    open();
  }
  open_->bytes = int64_t(contents.size());
  open_->digest.add(contents);
}

LogFile::~LogFile() = default;
LogFile::LogFile(LogFile&&) noexcept = default;

// Opens the file, and keeps others from writing to it.
void LogFile::open() {
  auto opened = std::make_unique<Open>();
  // Without O_NONBLOCK, opening a pipe without a reader would block. A file is also opened for reading: put_back().
  const int access = is_pipe(path_) ? O_WRONLY | O_NONBLOCK : O_RDWR;
  opened->descriptor = ::open(path_.c_str(), access | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  const int reason = errno;
  if (opened->descriptor < 0) {
    fail("--log {}: {}", path_,
         reason == ENXIO    ? "a pipe without a reader; start the reader first"
         : reason == ENOENT ? "no such folder; give a file in a folder that exists"
                            : fmt::format("{}; give a file that can be written", std::strerror(reason)));
  }
  ::fcntl(opened->descriptor, F_SETFL, O_APPEND);  // a full pipe blocks
  struct stat info {};
  opened->is_file = ::fstat(opened->descriptor, &info) == 0 && S_ISREG(info.st_mode);
  require(!opened->is_file || ::flock(opened->descriptor, LOCK_EX | LOCK_NB) == 0,
          "--log {}: another run is writing there; give another name", path_);
  open_ = std::move(opened);
}

// Writes the waiting lines. Returns 0, or the error's number; then the file ends after a complete line.
int LogFile::write_pending() {
  std::string_view left = open_->pending;
  while (!left.empty()) {
    const ssize_t n = ::write(open_->descriptor, left.data(), left.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    left.remove_prefix(size_t(n));
  }
  const int reason = left.empty() ? 0 : errno;
  const bool is_undone = reason != 0 && open_->is_file && ::ftruncate(open_->descriptor, open_->bytes) == 0;
  const size_t written = is_undone ? 0 : open_->pending.size() - left.size();
  open_->digest.add(std::string_view(open_->pending).substr(0, written));
  open_->bytes += int64_t(written);
  open_->pending.erase(0, written);
  return reason;
}

void LogFile::stop(const std::string& reason) const {
  const std::string name = fmt::format("--log {}: ", path_);
  const std::string message = reason.starts_with(name) ? reason : name + reason;
  if (!stop_with_error(message)) fail("{}", message);
}

void LogFile::write(const std::string& line) {
  if (!open_) return;
  open_->pending += line + "\n";
  if (const int reason = write_pending(); reason != 0) stop(std::strerror(reason));
}

void LogFile::sync() {
  if (!open_) return;
  try {
    put_back();
    const bool synced =
        ::fsync(open_->descriptor) == 0 || errno == EINVAL || errno == ENOTSUP;  // a pipe cannot be synced
    require(synced, "{}", std::strerror(errno));
    const fs::path folder = fs::path(path_).parent_path();
    sync_folder(folder.empty() ? "." : folder.string());  // otherwise a new file's name may be lost
  } catch (const Error& error) {
    stop(error.what());
  }
}

// The contents of the file that was opened, whatever its name is now.
std::string LogFile::contents() const {
  struct stat info {};
  const bool is_known = ::fstat(open_->descriptor, &info) == 0;
  require(is_known, "{}", std::strerror(errno));
  std::string text(size_t(info.st_size), '\0');
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = ::pread(open_->descriptor, text.data() + done, text.size() - done, off_t(done));
    require(n > 0, "cannot be read: {}", std::strerror(errno));
    done += size_t(n);
  }
  return text;
}

// Somebody wrote to the file, or cut it. That is no reason to end a long run.
void LogFile::accept_changes() {
  const std::string text = contents();
  open_->bytes = int64_t(text.size());
  open_->digest.reset();
  open_->digest.add(text);
  if (!text.empty() && text.back() != '\n') open_->pending.insert(0, "\n");
  write_output(fmt::format(
      "--log {}: another program changed it during the run; the run goes on with the changed file\n",
      printable_line(path_)));
}

void LogFile::put_back() {
  if (!open_->is_file) return;
  struct stat mine {
  }, there{};
  const bool is_known = ::fstat(open_->descriptor, &mine) == 0;
  require(is_known, "{}", std::strerror(errno));
  if (mine.st_size != open_->bytes) accept_changes();
  const bool exists = ::stat(path_.c_str(), &there) == 0;
  if (exists && there.st_dev == mine.st_dev && there.st_ino == mine.st_ino) return;
  const std::string text = contents();
  std::string note;
  if (exists) {
    const std::string aside = unused_name(path_);
    const bool is_moved = ::rename(path_.c_str(), aside.c_str()) == 0;
    require(is_moved, "replaced during the run: {}", std::strerror(errno));
    note = fmt::format("; the other file is now {}", printable_line(aside));
  }
  LogFile anew(path_, text);
  anew.open_->pending = std::move(open_->pending);
  open_ = std::move(anew.open_);
  write_output(fmt::format("--log {}: {} during the run; written again{}\n", printable_line(path_),
                           exists ? "replaced" : "deleted or moved", note));
}

nlohmann::ordered_json LogFile::extent() const {
  if (!open_) return {};
  nlohmann::ordered_json extent = {{"bytes", open_->bytes}, {"digest", to_hex(open_->digest.value())}};
  if (!open_->pending.empty()) extent["pending"] = open_->pending;
  return extent;
}

std::string unused_name(const std::string& path) {
  std::string name = path + ".unused";
  std::error_code none;
  for (int i = 2; fs::symlink_status(name, none).type() != fs::file_type::not_found; ++i)
    name = fmt::format("{}.unused{}", path, i);
  return name;
}

std::string keep_aside(const std::string& path) {
  const std::string aside = unused_name(path);
  put_contents(aside, read_text_file(path, kAnySize));
  return aside;
}

}  // namespace gpt2::app
