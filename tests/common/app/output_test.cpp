#include "common/app/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/common/files.h"

namespace gpt2::testing {
namespace {

using app::OutputKind;
using app::require_output;

const std::pair<OutputKind, std::string> kOwn[] = {{OutputKind::log, "{\"event\":\"config\"}\n"},
                                                   {OutputKind::npy, "\x93NUMPY\x01"},
                                                   {OutputKind::png, "\x89PNG\r\n\x1a\n"}};

TEST(RequireOutput, AcceptsWhatTheProgramsWriteAndWhatHoldsNothing) {
  const TempDir dir;
  put_file(dir / "empty", "");
  for (const auto& [kind, bytes] : kOwn) {
    put_file(dir / "own", bytes);
    for (const std::string& path : {dir / "own", dir / "none", dir / "empty", dir / "none/log", dir.path(),
                                    std::string("/dev/null"), std::string("/dev/full")})
      EXPECT_NO_THROW(require_output(path, kind)) << path;
  }
}

TEST(RequireOutput, RefusesEveryOtherFile) {
  const TempDir dir;
  const std::string others[] = {"To be, or not to be\n",
                                "{\"n_layer\": 4}",
                                "{\"text\": \"event\"}\n",
                                "{",
                                "\n",
                                std::string("\x40\0\0\0\0\0\0\0{\"a\"", 12),
                                "<?xml version=\"1.0\"?>"};
  for (const auto& [kind, own] : kOwn) {
    for (const auto& [other_kind, other] : kOwn) {
      if (kind == other_kind) continue;
      put_file(dir / "file", other);
      EXPECT_ERROR(require_output(dir / "file", kind), "file: the file exists and is not a");
    }
    for (const std::string& other : others) {
      put_file(dir / "file", other);
      EXPECT_ERROR(require_output(dir / "file", kind), "name another file, or remove this one");
      EXPECT_EQ(file_bytes(dir / "file"), other);
    }
  }
  std::filesystem::create_symlink("file", dir / "link");
  EXPECT_ERROR(require_output(dir / "link", OutputKind::log), "link: the file exists and is not a log");
}

TEST(RequireOutput, APipeNeedsAReader) {
  const TempDir dir;
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_ERROR(require_output(dir / "pipe", OutputKind::log), "pipe: a pipe that nobody reads");
  const int reader = ::open((dir / "pipe").c_str(), O_RDONLY | O_NONBLOCK);
  EXPECT_NO_THROW(require_output(dir / "pipe", OutputKind::log));
  ::close(reader);
}

}  // namespace
}  // namespace gpt2::testing
