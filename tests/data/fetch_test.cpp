// data/fetch against a server on this machine: what it downloads, goes on with, and refuses.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
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

  // What `./course data` would say, and its exit status.
  std::string fetch(const std::string& arguments, int expected_status) {
    server_.requests.clear();
    int status = 0;
    const std::string environment = "HF_ENDPOINT=" + server_.url() + " GITHUB_RAW_ENDPOINT=" + server_.url();
    const std::string output =
        output_of(environment + " " + (dir_ / "data/fetch") + " " + arguments + " 2>&1", &status);
    EXPECT_EQ(status, expected_status) << output;
    return output;
  }

  size_t downloads() const {
    return size_t(std::count_if(server_.requests.begin(), server_.requests.end(),
                                [](const std::string& request) { return request.starts_with("GET"); }));
  }

  TempDir dir_;
  Server server_;
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
  server_.files[path_of("train_000001")].breaks_off = 40'000;
  const std::string output = fetch("fineweb-edu --shards 2", 1);
  EXPECT_NE(output.find("run ./course data fineweb-edu --shards 2 again"), std::string::npos) << output;
  EXPECT_FALSE(fs::exists(dir_ / file_of("train_000001")));
  fetch("fineweb-edu --shards 2", 0);
  EXPECT_EQ(file_bytes(dir_ / file_of("train_000001")), server_.files[path_of("train_000001")].bytes);
  EXPECT_EQ(std::count(server_.requests.begin(), server_.requests.end(),
                       "GET " + path_of("train_000001") + " from 40000"),
            1);
}

TEST_F(Fetch, AServerThatCannotGoOnStartsAgain) {
  ServedFile& file = server_.files[path_of("train_000001")];
  file.breaks_off = 40'000;
  file.goes_on = false;
  fetch("fineweb-edu --shards 1", 1);
  fetch("fineweb-edu --shards 1", 0);
  EXPECT_EQ(file_bytes(dir_ / file_of("train_000001")), file.bytes);
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

TEST_F(Fetch, HellaSwagsChecksumIsTheOneThatWasPublished) {
  server_.files["/rowanz/hellaswag/master/data/hellaswag_val.jsonl"] = {.bytes = "{}\n", .checksum = ""};
  const std::string output = fetch("hellaswag", 1);
  EXPECT_NE(output.find("data/hellaswag/hellaswag_val.jsonl: wrong checksum, expected 0aa3b888"),
            std::string::npos)
      << output;
}

TEST_F(Fetch, SaysWhatIsWrong) {
  EXPECT_NE(fetch("fineweb-edu --shards 5", 1).find("no checksum, answer: HTTP/1.1 404"), std::string::npos);
  EXPECT_NE(fetch("fineweb-edu --shards 0", 1).find("--shards 0: expected a number from 1 to 1001"),
            std::string::npos);
  EXPECT_NE(fetch("fineweb-edu --shards x", 1).find("expected a number"), std::string::npos);
  EXPECT_NE(fetch("fineweb-edu --shards", 1).find("expected a number"), std::string::npos);
  EXPECT_NE(fetch("hellaswag --shards 5", 1).find("--shards: no such flag"), std::string::npos);
  EXPECT_NE(fetch("books", 1).find("no data books; there are gpt2"), std::string::npos);
}

}  // namespace
}  // namespace gpt2::testing
