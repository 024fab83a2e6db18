// data/fetch against a server on this machine: what it downloads, goes on with, and refuses.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "paths.h"
#include "tests/common/files.h"
#include "tests/data/server.h"

namespace gpt2::testing {
namespace {

namespace fs = std::filesystem;

std::string output_of(const std::string& command, int* status = nullptr) {
  FILE* pipe = popen(command.c_str(), "r");
  std::string output;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, n);
  const int result = pclose(pipe);
  if (status != nullptr) *status = WIFEXITED(result) ? WEXITSTATUS(result) : 128;
  return output;
}

class Fetch : public ::testing::Test {
 protected:
  void SetUp() override {
    if (output_of("command -v curl").empty()) GTEST_SKIP() << "no curl";
    fs::create_directory(dir_ / "data");
    fs::copy_file(GPT2_SOURCE_DIR "/data/fetch", dir_ / "data/fetch");
    for (const char* name : {"val_000000", "train_000001", "train_000002", "train_000003"}) serve(name);
  }

  static std::string file_of(const std::string& name) {
    return "data/fineweb-edu/edu_fineweb_" + name + ".bin";
  }
  static std::string path_of(const std::string& name) {
    return "/datasets/karpathy/fineweb-edu-100B-gpt2-token-shards/resolve/main/edu_fineweb_" + name + ".bin";
  }

  void serve(const std::string& name) {
    const std::string bytes = std::string(100'000, 'x') + name;
    put_file(dir_ / "served", bytes);
    server_.files[path_of(name)] = {.bytes = bytes,
                                    .checksum = output_of("sha256sum < " + (dir_ / "served")).substr(0, 64)};
  }

  // What `./course data` would say, and its exit status; its standard error is errors_ too.
  std::string fetch(const std::string& arguments, int expected_status) {
    server_.requests.clear();
    int status = 0;
    const std::string environment =
        "COURSE_STALL=1 HF_ENDPOINT=" + server_.url() + " GITHUB_RAW_ENDPOINT=" + server_.url();
    const std::string output = output_of(
        environment + " " + (dir_ / "data/fetch") + " " + arguments + " 2>" + (dir_ / "errors"), &status);
    errors_ = file_bytes(dir_ / "errors");
    EXPECT_EQ(status, expected_status) << output << errors_;
    return output + errors_;
  }

  size_t downloads() const {
    return size_t(std::count_if(server_.requests.begin(), server_.requests.end(),
                                [](const std::string& request) { return request.starts_with("GET"); }));
  }

  int64_t requests_for(const std::string& request) const {
    return std::count(server_.requests.begin(), server_.requests.end(), request);
  }

  TempDir dir_;
  Server server_;
  std::string errors_;
};

TEST_F(Fetch, BringsTheShardForValidationAndTheFirstOfTheOthers) {
  fetch("fineweb-edu --shards 2", 0);
  for (const char* name : {"val_000000", "train_000001", "train_000002"})
    EXPECT_EQ(file_bytes(dir_ / file_of(name)), server_.files[path_of(name)].bytes);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_ / "data/fineweb-edu"), {}), 3);
}

TEST_F(Fetch, WhatIsHereAndRightStays) {
  fetch("fineweb-edu --shards 2", 0);
  fetch("fineweb-edu --shards 3", 0);
  EXPECT_EQ(downloads(), 1u);
}

TEST_F(Fetch, WhatWasInterruptedGoesOnWhereItStopped) {
  fs::create_directories(dir_ / "data/fineweb-edu");
  const std::string& bytes = server_.files[path_of("train_000001")].bytes;
  put_file(dir_ / file_of("train_000001") + ".part", bytes.substr(0, 40'000));
  fetch("fineweb-edu --shards 2", 0);
  EXPECT_EQ(file_bytes(dir_ / file_of("train_000001")), bytes);
  EXPECT_EQ(requests_for("GET " + path_of("train_000001") + " from 40000"), 1);
}

// What goes wrong on the way, and whether another attempt helps.
struct Trouble {
  std::string name;
  ServedFile file;     // its breaks_off, stalls, ...
  int attempts;        // GETs of that file
  std::string reason;  // in the error; empty if the download succeeds
};

class FetchInTrouble : public Fetch, public ::testing::WithParamInterface<Trouble> {};

TEST_P(FetchInTrouble, GoesOnWhereItBrokeOrSaysWhyInOneLine) {
  const Trouble& trouble = GetParam();
  ServedFile& file = server_.files[path_of("train_000001")];
  const ServedFile whole = file;
  file = trouble.file;
  file.bytes = whole.bytes;
  file.checksum = whole.checksum;
  const bool fails = !trouble.reason.empty();
  const auto start = std::chrono::steady_clock::now();
  const std::string output = fetch("fineweb-edu --shards 1", fails ? 1 : 0);
  EXPECT_LE(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  EXPECT_EQ(std::count(errors_.begin(), errors_.end(), '\n'), fails ? 1 : 0) << errors_;
  EXPECT_EQ(int(downloads()) - 1, trouble.attempts) << output;  // 1: the shard for validation
  EXPECT_EQ(fs::exists(dir_ / file_of("train_000001")), !fails);
  if (fails) {
    EXPECT_NE(errors_.find(trouble.reason), std::string::npos) << errors_;
    EXPECT_NE(errors_.find("run ./course data fineweb-edu --shards 1 again"), std::string::npos) << errors_;
    fetch("fineweb-edu --shards 1", 0);
  }
  EXPECT_EQ(file_bytes(dir_ / file_of("train_000001")), whole.bytes);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, FetchInTrouble,
    ::testing::Values(Trouble{"broken_off", {.breaks_off = 40'000}, 2, ""},
                      Trouble{"broken_off_from_start", {.breaks_off = 40'000, .goes_on = false}, 3, ""},
                      Trouble{"stalled", {.breaks_off = 40'000, .stalls = true}, 2, ""},
                      Trouble{"no_answer", {.silent = 1}, 1, ""},
                      Trouble{"unavailable", {.unavailable = 1}, 1, ""},
                      Trouble{"always_broken_off", {.breaks_off = 1, .times = 4}, 4, "transfer closed"},
                      Trouble{"always_stalled", {.breaks_off = 1, .times = 4, .stalls = true}, 4, "too slow"},
                      Trouble{
                          "endless", {.endless = 1}, 1, "it sends more than the 100012 bytes of the file"},
                      Trouble{"never_answered", {.silent = 4}, 0, "timed out"},
                      Trouble{"always_unavailable", {.unavailable = 4}, 0, "answer: HTTP 503"}),
    [](const auto& test) { return test.param.name; });

TEST_F(Fetch, AnUnreachableServerIsOneLine) {
  int status = 0;
  const std::string errors =
      output_of("HF_ENDPOINT=http://127.0.0.1:1 " + (dir_ / "data/fetch") + " gpt2 2>&1 >/dev/null", &status);
  EXPECT_EQ(status, 1);
  EXPECT_NE(errors.find("check the network"), std::string::npos) << errors;
  EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1) << errors;
  EXPECT_FALSE(fs::exists(dir_ / "data/gpt2"));  // nothing stays behind where nothing came
}

TEST_F(Fetch, TwoAtOnceDoNotSpoilAFile) {
  fs::create_directories(dir_ / "data/fineweb-edu");
  fs::create_symlink(std::to_string(getpid()), dir_ / "data/fineweb-edu/.lock");
  EXPECT_NE(fetch("fineweb-edu --shards 1", 1).find("another ./course data fineweb-edu is downloading it"),
            std::string::npos);
  fs::remove(dir_ / "data/fineweb-edu/.lock");
  fs::create_symlink("99999999", dir_ / "data/fineweb-edu/.lock");  // of a run that was killed
  fetch("fineweb-edu --shards 1", 0);
  EXPECT_FALSE(fs::is_symlink(dir_ / "data/fineweb-edu/.lock"));
}

TEST_F(Fetch, APipeInTheFilesPlaceIsAnError) {
  fs::create_directories(dir_ / "data/fineweb-edu");
  for (const char* end : {"", ".part"}) {
    const std::string path = dir_ / file_of("val_000000") + end;
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    EXPECT_NE(fetch("fineweb-edu --shards 1", 1).find("not a regular file"), std::string::npos);
    fs::remove(path);
  }
}

TEST_F(Fetch, AWrongChecksumIsKeptAsideAndNotUsed) {
  ServedFile& file = server_.files[path_of("train_000001")];
  file.bytes[5] = 'y';  // not what its checksum says
  const std::string output = fetch("fineweb-edu --shards 1", 1);
  EXPECT_NE(output.find(file_of("train_000001") + ": wrong checksum, expected " + file.checksum),
            std::string::npos)
      << output;
  EXPECT_FALSE(fs::exists(dir_ / file_of("train_000001")));
  EXPECT_EQ(file_bytes(dir_ / file_of("train_000001") + ".bad"), file.bytes);
  fetch("fineweb-edu --shards 1", 1);  // what was kept stays
  EXPECT_EQ(file_bytes(dir_ / file_of("train_000001") + ".bad.2"), file.bytes);
  EXPECT_NE(errors_.find("kept as " + file_of("train_000001") + ".bad.2, run"), std::string::npos) << errors_;
  file.bytes[5] = 'x';
  fetch("fineweb-edu --shards 1", 0);
  EXPECT_EQ(file_bytes(dir_ / file_of("train_000001")), file.bytes);
}

TEST_F(Fetch, AFileThatChangedIsKeptAsideAndBroughtAnew) {
  fetch("fineweb-edu --shards 1", 0);
  put_file(dir_ / file_of("train_000001"), "something else");
  fetch("fineweb-edu --shards 1", 0);
  EXPECT_EQ(file_bytes(dir_ / file_of("train_000001")), server_.files[path_of("train_000001")].bytes);
  EXPECT_EQ(file_bytes(dir_ / file_of("train_000001") + ".bad"), "something else");
}

TEST_F(Fetch, WhatWasKeptAsideBeforeStays) {
  fetch("fineweb-edu --shards 1", 0);
  const std::string file = dir_ / file_of("train_000001");
  for (int i = 1; i <= 4; ++i) {
    put_file(file, "number " + std::to_string(i));
    if (i == 3) fs::create_directory(file + ".bad.3");
    const std::string bad = file_of("train_000001") + (i == 1   ? ".bad"
                                                       : i == 2 ? ".bad.2"
                                                                : ".bad." + std::to_string(i + 1));
    EXPECT_NE(fetch("fineweb-edu --shards 1", 0).find("kept as " + bad + "\n"), std::string::npos) << errors_;
    EXPECT_EQ(file_bytes(dir_ / bad), "number " + std::to_string(i));
  }
  EXPECT_EQ(file_bytes(file + ".bad"), "number 1");
}

TEST_F(Fetch, HellaSwagsChecksumIsTheOneThatWasPublished) {
  server_.files["/rowanz/hellaswag/master/data/hellaswag_val.jsonl"] = {.bytes = "{}\n", .checksum = ""};
  const std::string output = fetch("hellaswag", 1);
  EXPECT_NE(output.find("data/hellaswag/hellaswag_val.jsonl: wrong checksum, expected 0aa3b888"),
            std::string::npos)
      << output;
}

TEST_F(Fetch, SaysWhatIsWrong) {
  EXPECT_NE(fetch("fineweb-edu --shards 5", 1).find("no checksum, answer: HTTP 404"), std::string::npos);
  EXPECT_NE(fetch("fineweb-edu --shards 0", 1).find("--shards 0: expected a number from 1 to 1001"),
            std::string::npos);
  EXPECT_NE(fetch("fineweb-edu --shards x", 1).find("expected a number"), std::string::npos);
  EXPECT_NE(fetch("fineweb-edu --shards", 1).find("expected a number"), std::string::npos);
  EXPECT_NE(fetch("hellaswag --shards 5", 1).find("--shards: no such flag"), std::string::npos);
  EXPECT_NE(fetch("books", 1).find("no data books; there are gpt2"), std::string::npos);
}

}  // namespace
}  // namespace gpt2::testing
