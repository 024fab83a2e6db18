#include "common/base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "tests/common/files.h"

namespace gpt2 {
namespace {

using testing::file_bytes;
using testing::put_file;
using testing::TempDir;

// For as long as it lives, no file may grow beyond `bytes`: writing fails as on a full disk.
class DiskLimit {
 public:
  explicit DiskLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_limit_);
    const rlimit limit{bytes, old_limit_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~DiskLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_limit_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_limit_{};
  void (*old_handler_)(int);
};

void write_whole(const std::string& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

TEST(MappedFile, ShowsTheBytesOfTheFileAndSurvivesAMove) {
  const TempDir dir;
  const std::string content("a\0b\xff\n", 5);
  put_file(dir / "file", content);
  MappedFile file(dir / "file");
  EXPECT_EQ(file.text(), content);
  MappedFile moved(std::move(file));
  EXPECT_EQ(moved.text(), content);
  EXPECT_TRUE(file.bytes().empty());  // NOLINT(bugprone-use-after-move): the claim is about it
  put_file(dir / "other", "other");
  moved = MappedFile(dir / "other");
  EXPECT_EQ(moved.text(), "other");
  EXPECT_EQ(moved.path(), dir / "other");
}

TEST(MappedFile, OfAnEmptyFileIsEmpty) {
  const TempDir dir;
  put_file(dir / "file", "");
  EXPECT_TRUE(MappedFile(dir / "file").bytes().empty());
}

TEST(MappedFile, NamesThePathAndTheReason) {
  const TempDir dir;
  EXPECT_ERROR(MappedFile(dir / "none"), dir / "none" + ": cannot open: No such file or directory");
  EXPECT_ERROR(MappedFile(dir.path()), dir.path() + ": not a regular file");
  EXPECT_ERROR(MappedFile("/dev/null"), "/dev/null: not a regular file");
}

TEST(RandomAccessFile, ReadsAtAnyPlace) {
  const TempDir dir;
  put_file(dir / "a", "hello world");
  RandomAccessFile file(dir / "a");
  EXPECT_EQ(file.size(), 11);
  std::string bytes(5, ' ');
  file.read(6, std::as_writable_bytes(std::span(bytes)));
  EXPECT_EQ(bytes, "world");
  const RandomAccessFile moved = std::move(file);
  moved.read(0, std::as_writable_bytes(std::span(bytes)));
  EXPECT_EQ(bytes, "hello");
  EXPECT_EQ(moved.path(), dir / "a");
}

TEST(RandomAccessFile, AFileThatShrinksIsAnErrorThatNamesIt) {
  const TempDir dir;
  put_file(dir / "a", "hello world");
  const RandomAccessFile file(dir / "a");
  std::filesystem::resize_file(dir / "a", 8);
  std::string bytes(5, ' ');
  EXPECT_ERROR(file.read(6, std::as_writable_bytes(std::span(bytes))),
               dir / "a" + ": ends at byte 8, while it is read; it had 11 bytes before");
  EXPECT_ERROR(RandomAccessFile(dir / "b"), dir / "b" + ": cannot open: No such file");
  EXPECT_ERROR(RandomAccessFile(dir.path()), dir.path() + ": not a regular file");
}

// Only writing counts: a file that is replaced, linked or made read-only stays what it was.
TEST(RandomAccessFile, AFileThatIsWrittenToMeanwhileIsNamed) {
  namespace fs = std::filesystem;
  const TempDir dir;
  const std::string path = dir / "a", written = path + ": another program wrote to it while it was read";
  put_file(path, "hello world");
  const MappedFile mapped(path);
  const RandomAccessFile file(path);
  const auto before = file.stamp();
  fs::create_hard_link(path, dir / "link");
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  put_file(dir / "b", "other words");
  fs::rename(dir / "b", path);
  EXPECT_NO_THROW(file.require_unwritten(before));
  EXPECT_NO_THROW(mapped.require_unwritten());
  EXPECT_EQ(mapped.digest(), digest_of("hello world"));
  EXPECT_EQ(digest_of_file(path), digest_of("other words"));
  fs::last_write_time(dir / "link", fs::last_write_time(dir / "link") + std::chrono::seconds(1));
  EXPECT_ERROR(file.require_unwritten(before), written);
  EXPECT_ERROR(mapped.require_unwritten(), written);
  fs::resize_file(dir / "link", 8);  // with the time of before
  fs::last_write_time(dir / "link", fs::last_write_time(dir / "link") - std::chrono::seconds(1));
  EXPECT_ERROR(file.require_unwritten(before), written);
  std::string bytes(11, ' ');
  EXPECT_ERROR(mapped.read(mapped.bytes(), std::as_writable_bytes(std::span(bytes))),
               "ends at byte 8, while it is read");
  EXPECT_ERROR(mapped.digest(), "ends at byte 8, while it is read");
}

// A program reads a text whole while another one writes to it: all of one state, or an error.
TEST(ReadTextFile, GivesNoMixture) {
  const TempDir dir;
  const std::string path = dir / "text", a(4'000'000, 'a'), b(4'000'000, 'b');
  int mixtures = 0, errors = 0;
  for (int i = 0; i < 20; ++i) {
    put_file(path, a);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // the clock of files is coarse
    std::thread writer([&] {
      const int file = ::open(path.c_str(), O_WRONLY);
      for (size_t at = 0; at < b.size(); at += 1 << 16)
        EXPECT_GT(::pwrite(file, &b[at], std::min<size_t>(1 << 16, b.size() - at), off_t(at)), 0);
      ::close(file);
    });
    try {
      const std::string text = read_text_file(path);
      mixtures += text != a && text != b;
    } catch (const Error&) {
      ++errors;
    }
    writer.join();
  }
  EXPECT_EQ(mixtures, 0);
  EXPECT_LE(errors, 20);
}

TEST(RandomAccessFile, ItsStampChangesWhenItIsWrittenTo) {
  const TempDir dir;
  put_file(dir / "a", "hello world");
  const RandomAccessFile file(dir / "a");
  const auto before = file.stamp();
  EXPECT_EQ(file.stamp(), before);
  EXPECT_EQ(before.size, 11);
  std::filesystem::last_write_time(dir / "a",
                                   std::filesystem::last_write_time(dir / "a") + std::chrono::seconds(1));
  EXPECT_NE(file.stamp(), before);
}

TEST(ReadTextFile, ReadsTheWholeFile) {
  const TempDir dir;
  const std::string content = std::string(200'000, 'x') + '\0' + "\xff end";
  put_file(dir / "file", content);
  EXPECT_EQ(read_text_file(dir / "file"), content);
}

TEST(ReadTextFile, NamesThePathAndTheReason) {
  const TempDir dir;
  put_file(dir / "file", std::string(11, 'x'));
  EXPECT_EQ(read_text_file(dir / "file", 11).size(), 11u);
  EXPECT_ERROR(read_text_file(dir / "file", 10), dir / "file" + ": larger than 10 bytes");
  EXPECT_ERROR(read_text_file(dir / "none"), dir / "none" + ": cannot open: No such file or directory");
}

// What is no regular file: refused by name, and at once, though a pipe without a writer would make open() wait.
TEST(Files, EveryReaderRefusesWhatIsNoRegularFile) {
  const TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {dir / "pipe", "a pipe; write its contents to a file first"},
      {dir.path(), "a folder; name a file in it"},
      {"/dev/null", "a device"},
      {"/dev/zero", "a device"}};
  for (const auto& [path, kind] : cases) {
    const std::string expected = path + ": not a regular file but " + kind;
    EXPECT_ERROR(MappedFile(std::string(path)), expected);
    EXPECT_ERROR(RandomAccessFile(std::string(path)), expected);
    EXPECT_ERROR(read_text_file(path), expected);
    EXPECT_ERROR(AtomicFile(std::string(path)), path + ": cannot write: not a regular file");
  }
}

TEST(AtomicFile, AppearsOnlyAtCommitAndReplacesWhatWasThere) {
  const TempDir dir;
  put_file(dir / "file", "old");
  AtomicFile file(dir / "file");
  file.write("new ");
  file.write("content");
  EXPECT_EQ(file_bytes(dir / "file"), "old");
  file.commit();
  EXPECT_EQ(file_bytes(dir / "file"), "new content");
  EXPECT_EQ(dir.names(), std::vector<std::string>{"file"});
}

TEST(AtomicFile, WithoutCommitLeavesNothing) {
  const TempDir dir;
  { AtomicFile(dir / "file").write("text"); }
  EXPECT_TRUE(dir.names().empty());
}

TEST(AtomicFile, OverAStaleTemporaryFileWritesItsOwnBytesOnly) {
  const TempDir dir;
  put_file(dir / "file.tmp." + std::to_string(::getpid()), "a longer text that a dead process left");
  write_whole(dir / "file", "new");
  EXPECT_EQ(file_bytes(dir / "file"), "new");
  EXPECT_EQ(dir.names(), std::vector<std::string>{"file"});
}

TEST(AtomicFile, RemovesWhatKilledProcessesLeftAndNothingElse) {
  const TempDir dir;
  for (const char* name : {"file.tmp.1", "file.tmp.999999999"}) put_file(dir / name, "half");  // stale
  const std::vector<std::string> others = {"file.tmp", "file.tmp.", "file.tmp.1a", "file.tmp.1.bak",
                                           "other.tmp.1"};
  for (const std::string& name : others) put_file(dir / name, "somebody's");
  const std::string alive = dir / "file.tmp.2";
  put_file(alive, "being written");
  const int lock = ::open(alive.c_str(), O_RDONLY);
  ASSERT_EQ(::flock(lock, LOCK_EX | LOCK_NB), 0);
  write_whole(dir / "file", "content");
  std::vector<std::string> expected = others;
  expected.insert(expected.end(), {"file", "file.tmp.2"});
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(dir.names(), expected);
  ::close(lock);
  write_whole(dir / "file", "content");
  EXPECT_FALSE(std::filesystem::exists(alive));
}

TEST(AtomicFile, ReturnsTheDigestOfWhatItWrote) {
  const TempDir dir;
  AtomicFile file(dir / "file");
  file.write("new ");
  file.write("content");
  EXPECT_EQ(file.commit(), digest_of("new content"));
}

TEST(AtomicFile, WorksOnANameWithoutAFolder) {
  const TempDir dir;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  EXPECT_NO_THROW(write_whole("file", "text"));
  std::filesystem::current_path(before);
  EXPECT_EQ(file_bytes(dir / "file"), "text");
}

TEST(AtomicFile, NamesThePathAndTheReason) {
  const TempDir dir;
  const std::string path = dir / "none/file";
  EXPECT_ERROR(AtomicFile{path}, path + ": cannot create: No such file or directory; nothing was changed");
}

TEST(AtomicFile, RefusesWhatARenameWouldDestroy) {
  const TempDir dir;
  std::filesystem::create_symlink("target", dir / "link");
  std::filesystem::create_directory(dir / "folder");
  for (const std::string& path : {dir / "link", dir / "folder", std::string("/dev/null")})
    EXPECT_ERROR(AtomicFile{path}, path + ": cannot write: not a regular file");
  EXPECT_EQ(dir.names(), (std::vector<std::string>{"folder", "link"}));
}

TEST(AtomicFile, OnAFullDiskLeavesTheOldFileAndNoTemporary) {
  const TempDir dir;
  put_file(dir / "file", "old");
  const std::string content(100'000, 'x');
  {
    const DiskLimit limit(50'000);
    EXPECT_ERROR(write_whole(dir / "file", content),
                 dir / "file" + ": cannot write: File too large; nothing was");
  }
  EXPECT_EQ(file_bytes(dir / "file"), "old");
  EXPECT_EQ(dir.names(), std::vector<std::string>{"file"});
  write_whole(dir / "file", content);  // and with room it goes
  EXPECT_EQ(file_bytes(dir / "file"), content);
}

TEST(EveryReader, SaysThatAFileIsAGitLfsPointer) {
  const TempDir dir;
  put_file(dir / "a", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 548105171\n");
  const std::string expected =
      dir / "a" + ": a Git LFS pointer, not the file itself; fetch that with: git lfs pull";
  EXPECT_ERROR(MappedFile(dir / "a"), expected);
  EXPECT_ERROR(RandomAccessFile(dir / "a"), expected);
  EXPECT_ERROR(read_text_file(dir / "a"), expected);
  for (const std::string text : {"version https://git-lf", "version 2 of a text, which is longer"}) {
    put_file(dir / "a", text);
    EXPECT_EQ(read_text_file(dir / "a"), text);
  }
}

}  // namespace
}  // namespace gpt2
