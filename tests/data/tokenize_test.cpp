// tokenize as a black box: the shards it makes, and that a run that was killed ends with the same.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <random>
#include <thread>

#include "common/data/shards.h"
#include "common/tales/tales.h"
#include "common/text/tokenizer.h"
#include "paths.h"
#include "tests/common/files.h"

namespace gpt2::testing {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<int32_t>;

const std::string kProgram = GPT2_BIN_DIR "/tokenize";

struct Outcome {
  int status;
  std::string output;  // and errors
};

Outcome run(const std::string& flags) {
  FILE* pipe = popen((kProgram + " " + flags + " 2>&1").c_str(), "r");
  std::string output;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, n);
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128, output};
}

void expect_error(const std::string& flags, const std::string& expected) {
  const Outcome outcome = run(flags);
  EXPECT_EQ(outcome.status, 1) << outcome.output;
  EXPECT_TRUE(outcome.output.starts_with("tokenize: ")) << outcome.output;
  EXPECT_NE(outcome.output.find(expected), std::string::npos) << outcome.output << "expected: " << expected;
  EXPECT_EQ(outcome.output.find('\n'), outcome.output.size() - 1) << outcome.output;
}

Ids ids_in(const std::string& path) {
  const TokenShard shard(path, 1 << 16);
  Ids ids(static_cast<size_t>(shard.size()));
  shard.read(0, ids);
  return ids;
}

// Two files of documents, and what their ids are.
class Tokenize : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string text, lines;
    Tales tales;
    const auto tokenizer = make_tokenizer("byte", "");
    const auto add = [&](const std::string& document) {
      expected_.push_back(*tokenizer->end_of_text());
      for (const int32_t id : tokenizer->encode(document)) expected_.push_back(id);
    };
    for (int i = 0; i < 500; ++i) {
      const std::string story = tales.next_story();
      text += (i > 0 ? std::string(kEndOfText) : "") + story;
      add(story);
    }
    for (int i = 0; i < 1000; ++i) {
      const std::string story = "story " + std::to_string(i);
      lines += "{\"id\": " + std::to_string(i) + ", \"text\": \"" + story + "\"}\n";
      add(story);
    }
    put_file(dir_ / "a.txt", text);
    put_file(dir_ / "b.jsonl", lines);
    files_ = dir_ / "a.txt" + " " + (dir_ / "b.jsonl") + " ";
  }

  std::string out(const std::string& name) { return "--out " + (dir_ / name); }

  // All ids of a folder's shards, the validation shard first.
  Ids ids_of_folder(const std::string& name) {
    Ids all;
    std::vector<std::string> paths = expand_pattern(dir_ / name + "/text_train_*.bin");
    const std::string val = dir_ / name + "/text_val_000000.bin";
    if (fs::exists(val)) paths.insert(paths.begin(), val);
    for (const std::string& path : paths) {
      const Ids ids = ids_in(path);
      all.insert(all.end(), ids.begin(), ids.end());
    }
    return all;
  }

  TempDir dir_;
  std::string files_;
  Ids expected_;
};

TEST_F(Tokenize, MakesShardsOfOneLengthTheFirstForValidation) {
  const Outcome outcome = run(files_ + out("out") + " --shard-tokens 100000 --val-tokens 20000");
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("text_train_000001.bin: 100000 tokens\n"), std::string::npos)
      << outcome.output;
  const auto paths = expand_pattern(dir_ / "out/text_*.bin");
  ASSERT_EQ(paths.size(), (expected_.size() - 20'000 + 99'999) / 100'000 + 1);
  EXPECT_EQ(ids_in(dir_ / "out/text_val_000000.bin"), Ids(expected_.begin(), expected_.begin() + 20'000));
  EXPECT_EQ(ids_in(dir_ / "out/text_train_000001.bin"),
            Ids(expected_.begin() + 20'000, expected_.begin() + 120'000));
  EXPECT_EQ(ids_of_folder("out"), expected_);
}

TEST_F(Tokenize, TheShardsAreTheSameForAnyNumberOfThreads) {
  for (const char* flags : {" --threads 1", " --threads 7", ""}) {
    ASSERT_EQ(run(files_ + out("out") + " --shard-tokens 30000 --val-tokens 0" + flags).status, 0);
    EXPECT_FALSE(fs::exists(dir_ / "out/text_val_000000.bin"));
    EXPECT_EQ(ids_of_folder("out"), expected_);
    fs::remove_all(dir_ / "out");
  }
}

TEST_F(Tokenize, ASecondRunHasNothingToDo) {
  const std::string flags = files_ + out("out") + " --shard-tokens 100000";
  ASSERT_EQ(run(flags).status, 0);
  const auto before = fs::last_write_time(dir_ / "out/text_val_000000.bin");
  const Outcome again = run(flags);
  EXPECT_EQ(again.status, 0);
  EXPECT_NE(again.output.find("shards are here, the corpus is done"), std::string::npos) << again.output;
  EXPECT_EQ(fs::last_write_time(dir_ / "out/text_val_000000.bin"), before);
}

TEST_F(Tokenize, KilledAtAnyMomentAndRunAgainItEndsWithTheSameShards) {
  std::mt19937 random(1337);
  for (int kill = 0; kill < 20; ++kill) {
    const pid_t child = fork();
    if (child == 0) {
      std::freopen("/dev/null", "w", stdout);
      execl(kProgram.c_str(), "tokenize", (dir_ / "a.txt").c_str(), (dir_ / "b.jsonl").c_str(), "--out",
            (dir_ / "out").c_str(), "--shard-tokens", "5000", "--threads", "2", nullptr);
      _exit(127);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    if (!fs::exists(dir_ / "out")) continue;
    // what is in view is whole
    for (const auto& entry : fs::directory_iterator(dir_ / "out")) {
      const bool in_view = entry.path().extension() == ".bin";
      EXPECT_NO_THROW(in_view ? TokenShard(entry.path(), 1 << 16).check() : void());
    }
  }
  const Outcome last = run(files_ + out("out") + " --shard-tokens 5000 --threads 2");
  ASSERT_EQ(last.status, 0) << last.output;
  EXPECT_EQ(ids_of_folder("out"), expected_);
  for (const auto& entry : fs::directory_iterator(dir_ / "out"))
    EXPECT_EQ(entry.path().string().find(".tmp."), std::string::npos) << entry.path();
}

TEST_F(Tokenize, GoingOnWithOtherSettingsIsAnErrorThatNamesThem) {
  const std::string flags = files_ + out("out") + " --shard-tokens 100000";
  ASSERT_EQ(run(flags).status, 0);
  expect_error(files_ + out("out") + " --shard-tokens 100001", "--shard-tokens was 100000 and is 100001 now");
  expect_error(flags + " --val-tokens 5", "--val-tokens was 100000 and is 5 now");
  expect_error(dir_ / "a.txt" + " " + out("out") + " --shard-tokens 100000", "files was ");
  std::ofstream(dir_ / "a.txt", std::ios::app) << "more";
  expect_error(flags, "files was ");
  fs::remove(dir_ / "out/text_manifest.json");
  expect_error(flags, "has text_");
  ASSERT_EQ(run(flags + " --prefix other").status, 0);
  fs::resize_file(dir_ / "out/other_train_000001.bin", 1024);
  expect_error(flags + " --prefix other", "other_train_000001.bin: its header says 100000 ids, but 0 follow");
}

TEST_F(Tokenize, BadInputIsOneLine) {
  expect_error(files_, "--out: name a folder");
  expect_error(dir_ / "no.txt " + out("out"), "no.txt: cannot open");
  expect_error("'" + (dir_ / "*.zst'") + " " + out("out"), "*.zst: no file matches");
  expect_error(files_ + out("out") + " --tokenizer char", "--tokenizer char: its ids depend on the text");
  expect_error(files_ + out("out"),
               "tokens, and the first 100000000 are for validation; give a smaller --val-tokens");
  expect_error(files_ + out("out2") + " --prefix a/b", "--prefix a/b");
  expect_error(files_ + out("a.txt") + " --shard-tokens 1000", "cannot make this folder");
  put_file(dir_ / "bad.jsonl", "{\"text\": \"hello\"}\nhello\n");
  expect_error(dir_ / "bad.jsonl" + " " + out("out3") + " --shard-tokens 3",
               "bad.jsonl, line 2: not valid JSON");
  put_file(dir_ / "empty.txt", "");
  expect_error(dir_ / "empty.txt" + " " + out("out4") + " --val-tokens 0", "the corpus is empty");
}

}  // namespace
}  // namespace gpt2::testing
