#include "common/app/log_file.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "common/base/digest.h"
#include "tests/common/files.h"

namespace gpt2::testing {
namespace {

namespace fs = std::filesystem;
using app::LogFile;

// The size of a file beyond which writing fails, as on a full disk.
struct SizeLimit {
  rlimit before{};
  explicit SizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    rlimit limit = before;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SizeLimit() { setrlimit(RLIMIT_FSIZE, &before); }
};

}  // namespace

TEST(LogFile, ReplacesOrContinues) {
  const TempDir folder;
  const std::string path = folder / "log";
  put_file(path, "old\n");
  LogFile(path).write("one");
  EXPECT_EQ(file_bytes(path), "one\n");
  LogFile continued(path, "zero\none\n");
  continued.write("two");
  EXPECT_EQ(file_bytes(path), "zero\none\ntwo\n");
  const auto extent = continued.extent();
  EXPECT_EQ(extent.at("bytes"), 13);
  EXPECT_EQ(extent.at("digest"), to_hex(digest_of(file_bytes(path))));
  EXPECT_FALSE(extent.contains("pending"));
  LogFile("").write("nothing");
  EXPECT_EQ(folder.names(), (std::vector<std::string>{"log"}));
}

TEST(LogFile, OneRunWritesToAFile) {
  const TempDir folder;
  const std::string path = folder / "log", message = "--log " + path + ": another run is writing there";
  {
    LogFile first(path);
    first.write("one");
    EXPECT_ERROR(LogFile{path}, message);
    EXPECT_ERROR(LogFile(path, "zero\n"), message);
    first.write("two");
    EXPECT_EQ(file_bytes(path), "one\ntwo\n");
  }
  LogFile(path, "zero\n").write("one");
  EXPECT_EQ(file_bytes(path), "zero\none\n");
}

TEST(LogFile, TheLogOfARunWithCheckpointsIsKept) {
  const std::string saved = R"({"event":"checkpoint","step":1,"path":"a"})"
                            "\n",
                    config = R"({"event":"config","path":"checkpoint"})"
                             "\n";
  for (const auto& [contents, is_kept] : std::vector<std::pair<std::string, bool>>{
           {saved, true}, {config + saved, true}, {config, false}, {"a checkpoint\n", false}}) {
    const TempDir folder;
    const std::string path = folder / "log";
    put_file(path, contents);
    LogFile{path}.write("new");
    EXPECT_EQ(file_bytes(path), "new\n");
    EXPECT_EQ(folder.names().size(), is_kept ? 2u : 1u);
    if (is_kept) {
      EXPECT_EQ(file_bytes(path + ".unused"), contents);
    }
  }
}

TEST(LogFile, ALinkStaysALinkInANewRunAndOnResume) {
  const TempDir folder;
  fs::create_symlink("elsewhere", folder / "log");
  LogFile(folder / "log").write("one");
  EXPECT_EQ(file_bytes(folder / "elsewhere"), "one\n");
  LogFile(folder / "log", "zero\n").write("one");
  EXPECT_TRUE(fs::is_symlink(folder / "log"));
  EXPECT_EQ(file_bytes(folder / "elsewhere"), "zero\none\n");
}

TEST(LogFile, AFileThatIsLostDuringTheRunIsWrittenAgain) {
  struct Case {
    std::string name;
    std::function<void(const std::string& path)> change;
    std::vector<std::string> names;
  };
  for (const Case& each : std::vector<Case>{
           {"nothing", [](const std::string&) {}, {"log"}},
           {"deleted", [](const std::string& path) { fs::remove(path); }, {"log"}},
           {"moved", [](const std::string& path) { fs::rename(path, path + ".old"); }, {"log", "log.old"}},
           {"replaced",
            [](const std::string& path) {
              fs::remove(path);
              put_file(path, "another");
            },
            {"log", "log.unused"}},
           {"a folder",
            [](const std::string& path) {
              fs::remove(path);
              fs::create_directory(path);
            },
            {"log", "log.unused"}}}) {
    SCOPED_TRACE(each.name);
    const TempDir folder;
    LogFile log(folder / "log");
    log.write("one");
    each.change(folder / "log");
    log.write("two");
    log.sync();
    log.write("three");
    EXPECT_EQ(file_bytes(folder / "log"), "one\ntwo\nthree\n");
    EXPECT_EQ(folder.names(), each.names);
    EXPECT_EQ(log.extent().at("digest"), to_hex(digest_of(file_bytes(folder / "log"))));
  }
}

TEST(LogFile, AChangeInPlaceIsAccepted) {
  for (const auto& [contents, expected] :
       std::vector<std::pair<std::string, std::string>>{{"", "two\n"},
                                                        {"one\n# a note\n", "one\n# a note\ntwo\n"},
                                                        {"one\nno end", "one\nno end\ntwo\n"}}) {
    const TempDir folder;
    LogFile log(folder / "log");
    log.write("one");
    put_file(folder / "log", contents);
    log.sync();
    EXPECT_EQ(log.extent().at("bytes"), contents.size());
    log.write("two");
    EXPECT_EQ(file_bytes(folder / "log"), expected);
    EXPECT_EQ(log.extent().at("digest"), to_hex(digest_of(expected)));
  }
}

// Nothing is lost, and the file ends after a whole line.
TEST(LogFile, OnAFullDiskLinesWait) {
  const TempDir folder;
  const std::string path = folder / "log";
  LogFile log(path);
  log.write("one");
  {
    const SizeLimit limit(6);
    EXPECT_ERROR(log.write("two"), "--log " + path + ": File too large");
    EXPECT_ERROR(log.write("three"), "File too large");
  }
  EXPECT_EQ(file_bytes(path), "one\n");
  EXPECT_EQ(log.extent().at("bytes"), 4);
  EXPECT_EQ(log.extent().at("pending"), "two\nthree\n");
  log.write("four");
  EXPECT_EQ(file_bytes(path), "one\ntwo\nthree\nfour\n");
  EXPECT_EQ(log.extent().at("digest"), to_hex(digest_of(file_bytes(path))));
}

TEST(LogFile, WhatCannotBeOpenedIsNamed) {
  const TempDir folder;
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_ERROR(LogFile(folder / "pipe"), "a pipe without a reader; start the reader first");
  EXPECT_ERROR(LogFile(folder / "none/log"), "give a file in a folder that exists");
  EXPECT_ERROR(LogFile("/dev/full").write("line"), "--log /dev/full: No space left on device");
}

}  // namespace gpt2::testing
