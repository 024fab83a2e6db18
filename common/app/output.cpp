#include "common/app/output.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <string_view>

#include "common/base/error.h"
#include "common/base/file.h"

namespace gpt2::app {
namespace {

struct Format {
  std::string_view beginning;
  const char* name;
};

Format format_of(OutputKind kind) {
  switch (kind) {
    case OutputKind::log:
      return {"{\"event\":", "a log"};
    case OutputKind::npy:
      return {"\x93NUMPY", "a .npy file"};
    case OutputKind::png:
      return {"\x89PNG\r\n", "a PNG picture"};
  }
  return {};
}

bool begins_with(const std::string& path, std::string_view beginning) {
  const RandomAccessFile file(path);
  std::string bytes(size_t(std::min(file.size(), int64_t(beginning.size()))), ' ');
  file.read(0, std::as_writable_bytes(std::span(bytes)));
  return bytes == beginning;
}

}  // namespace

void require_output(const std::string& path, OutputKind kind) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return;  // the program will create it, or say why that fails
  if (S_ISFIFO(info.st_mode)) {
    // Stays open until the program ends: if it were closed here, the reader would already see the end.
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    require(descriptor >= 0 || errno != ENXIO, "{}: a pipe that nobody reads; start its reader first", path);
  }
  if (!S_ISREG(info.st_mode) || info.st_size == 0) return;
  const Format format = format_of(kind);
  require(begins_with(path, format.beginning),
          "{}: the file exists and is not {}; name another file, or remove this one", path, format.name);
}

}  // namespace gpt2::app
