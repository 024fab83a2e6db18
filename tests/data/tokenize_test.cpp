// tokenize as a black box: the shards it makes, and that a run that was killed ends with the same.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>
#include <tuple>

#include "common/base/digest.h"
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

Outcome run(const std::string& flags, const std::string& streams = "2>&1") {
  FILE* pipe = popen((kProgram + " " + flags + " " + streams).c_str(), "r");
  std::string output;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, n);
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128, output};
}

void expect_error(const std::string& flags, const std::string& expected) {
  const Outcome outcome = run(flags, "2>&1 >/dev/null");
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

// A manifest with the digest that tokenize would give it.
std::string sealed(nlohmann::json manifest) {
  manifest.erase("digest");
  manifest["digest"] = to_hex(digest_of(manifest.dump()));
  return manifest.dump();
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
  const std::string flags = files_ + out("out") + " --shard-tokens 100000 --val-tokens 100000";
  ASSERT_EQ(run(flags).status, 0);
  expect_error(files_ + out("out") + " --shard-tokens 100001", "--shard-tokens was 100000 and is 100001 now");
  expect_error(flags + " --val-tokens 5", "--val-tokens was 100000 and is 5 now");
  EXPECT_EQ(run(files_ + out("out") + " --shard-tokens 100000").status, 0);  // the default is what it was
  expect_error(dir_ / "a.txt" + " " + out("out") + " --shard-tokens 100000",
               "the number of files was 2 and is 1 now");
  fs::remove(dir_ / "out/text_manifest.json");
  expect_error(flags, "has text_");
  ASSERT_EQ(run(flags + " --prefix other").status, 0);
  fs::resize_file(dir_ / "out/other_train_000001.bin", 1024);
  expect_error(flags + " --prefix other", "other_train_000001.bin: changed since tokenize wrote it");
}

// A folder with the byte tokenizer's files and one merge more.
void put_tokenizer(const std::string& folder, const std::string& merged) {
  fs::create_directories(folder);
  nlohmann::json tokens;
  for (const Tokenizer::File& file : make_tokenizer("byte", "")->files())
    if (file.name == "vocab.json") tokens = nlohmann::json::parse(file.text);
  tokens[merged] = tokens.size();
  put_file(folder + "/vocab.json", tokens.dump());
  put_file(folder + "/merges.txt", fmt::format("{} {}\n", merged[0], merged[1]));
}

// What another run finds changed: it says so, whether the corpus was done or not, and touches nothing.
TEST_F(Tokenize, WhatChangedSinceTheLastRunIsNamed) {
  const auto flip = [&](const std::string& name, size_t at) {
    std::string bytes = file_bytes(dir_ / name);
    bytes[at] = char(bytes[at] ^ 1);
    put_file(dir_ / name, bytes);
  };
  const auto swap = [&](const std::string& a, const std::string& b) {
    const std::string bytes = file_bytes(dir_ / a);
    put_file(dir_ / a, file_bytes(dir_ / b));
    put_file(dir_ / b, bytes);
  };
  struct Case {
    std::string message;
    std::function<void()> change;
  };
  const std::vector<Case> cases = {
      {"file 1 was \"a.txt, ", [&] { flip("a.txt", 0); }},
      {"file 2 was \"b.jsonl, ", [&] { flip("b.jsonl", fs::file_size(dir_ / "b.jsonl") - 4); }},
      {"file 1 was \"a.txt, ", [&] { std::ofstream(dir_ / "a.txt", std::ios::app) << "more"; }},
      {"--tokenizer was \"258 ids, digest ", [&] { put_tokenizer(dir_ / "tokenizer", "an"); }},
      {"text_val_000000.bin: changed", [&] { flip("out/text_val_000000.bin", 1500); }},
      {"text_train_000001.bin: changed", [&] { flip("out/text_train_000001.bin", 1024); }},
      {"text_train_000001.bin: changed",
       [&] { swap("out/text_train_000001.bin", "out/text_train_000002.bin"); }},
      {"text_train_000001.bin: cannot open", [&] { fs::remove(dir_ / "out/text_train_000001.bin"); }},
      {"text_manifest.json: damaged, edited",
       [&] { flip("out/text_manifest.json", file_bytes(dir_ / "out/text_manifest.json").find("skip") + 6); }},
  };
  const std::string flags = files_ + out("out") + " --shard-tokens 30000 --tokenizer " + (dir_ / "tokenizer");
  const std::string text = file_bytes(dir_ / "a.txt"), lines = file_bytes(dir_ / "b.jsonl");
  for (const bool is_done : {true, false}) {
    for (const Case& c : cases) {
      SCOPED_TRACE(c.message);
      put_file(dir_ / "a.txt", text);
      put_file(dir_ / "b.jsonl", lines);
      put_tokenizer(dir_ / "tokenizer", "th");
      fs::remove_all(dir_ / "out");
      ASSERT_EQ(run(flags).status, 0);
      auto manifest = nlohmann::ordered_json::parse(file_bytes(dir_ / "out/text_manifest.json"));
      manifest["done"] = is_done;
      put_file(dir_ / "out/text_manifest.json", sealed(manifest));
      c.change();
      const std::string before = file_bytes(dir_ / "out/text_manifest.json");
      expect_error(flags, c.message);
      EXPECT_EQ(file_bytes(dir_ / "out/text_manifest.json"), before);
    }
  }
}

TEST_F(Tokenize, WhereTheFilesAreDoesNotMatter) {
  put_tokenizer(dir_ / "tokenizer", "th");
  const std::string flags = " " + out("out") + " --shard-tokens 100000 --tokenizer ";
  ASSERT_EQ(run(files_ + flags + (dir_ / "tokenizer")).status, 0);
  fs::create_directory(dir_ / "elsewhere");
  for (const char* name : {"a.txt", "b.jsonl", "tokenizer"})
    fs::copy(dir_ / name, dir_ / "elsewhere/" + name, fs::copy_options::recursive);
  fs::last_write_time(dir_ / "a.txt", fs::file_time_type::clock::now());
  const std::string here = "./" + fs::relative(dir_.path()).string() + "/";
  for (const std::string& folder : {dir_.path() + "/", here, dir_ / "elsewhere/", dir_ / "elsewhere/../"}) {
    const Outcome again = run(folder + "a.txt " + folder + "b.jsonl" + flags + folder + "tokenizer");
    EXPECT_EQ(again.status, 0) << again.output;
    EXPECT_NE(again.output.find("the corpus is done"), std::string::npos) << again.output;
  }
}

TEST_F(Tokenize, NamesOfAnyBytes) {
  for (const std::string name : {"\xE9", "\xC3\xA9", "\x1B[31m", "a\tb", "a\"b", "a\\b", " "}) {
    const std::string folder = dir_ / name;
    fs::create_directory(folder);
    put_tokenizer(folder + "/tokenizer", "th");
    put_file(folder + "/" + name + ".txt", file_bytes(dir_ / "a.txt"));
    const std::string flags = "'" + folder + "/" + name + ".txt' --tokenizer '" + folder +
                              "/tokenizer' --out '" + folder + "/out' --prefix '" + name +
                              "' --shard-tokens 30000";
    for (const char* message : {"tokens from ", "the corpus is done"}) {
      const Outcome outcome = run(flags);
      EXPECT_EQ(outcome.status, 0) << outcome.output;
      EXPECT_NE(outcome.output.find(message), std::string::npos) << outcome.output;
    }
    EXPECT_TRUE(fs::exists(folder + "/out/" + name + "_train_000001.bin"));
  }
}

TEST_F(Tokenize, JsonLinesThatAreNamedAsATextAreRefused) {
  for (const std::string lines : {"{\"text\": \"hello\"}\n{\"text\": \"you\"}\n",
                                  "{\"id\": 7, \"text\": \"hello\"}", "{\"text\": \"\"}\n"}) {
    put_file(dir_ / "lines.txt", lines);
    expect_error(dir_ / "lines.txt" + " " + out("lines"), "lines.txt: JSON, not text; if each line");
    std::system(("gzip -f " + (dir_ / "lines.txt")).c_str());
    expect_error(dir_ / "lines.txt.gz" + " " + out("lines"), "lines.txt.gz: JSON, not text; if each line");
    EXPECT_FALSE(fs::exists(dir_ / "lines"));
  }
  for (const std::string text : {"{\"text\" is a word}\n", "{ x\n", "A {\"text\": \"\"}\n"}) {
    put_file(dir_ / "text.txt", text);
    EXPECT_EQ(run(dir_ / "text.txt" + " " + out("text") + " --val-tokens 0").status, 0);
    fs::remove_all(dir_ / "text");
  }
}

TEST_F(Tokenize, BadInputIsOneLine) {
  expect_error(files_, "--out: name a folder");
  expect_error(dir_ / "no.txt " + out("out"), "no.txt: cannot open");
  expect_error("'" + (dir_ / "*.zst'") + " " + out("out"), "*.zst: no file matches");
  expect_error(files_ + out("out") + " --tokenizer char", "--tokenizer char: its ids depend on the text");
  expect_error(files_ + out("out") + " --val-tokens 100000000",
               "tokens, and the first 100000000 are for validation; give a smaller --val-tokens");
  expect_error(files_ + out("out2") + " --prefix a/b", "--prefix a/b");
  expect_error(files_ + out("a.txt") + " --shard-tokens 1000", "cannot make this folder");
  put_file(dir_ / "bad.jsonl", "{\"text\": \"hello\"}\nhello\n");
  expect_error(dir_ / "bad.jsonl" + " " + out("out3") + " --shard-tokens 3",
               "bad.jsonl, line 2: not valid JSON");
  put_file(dir_ / "empty.txt", "");
  expect_error(dir_ / "empty.txt" + " " + out("out4") + " --val-tokens 0", "the corpus is empty");
}

// Nothing has to be said about a corpus of any size, and about a tenth of it is for validation.
TEST_F(Tokenize, TheDefaultsFitTheCorpus) {
  const auto tokens = [&](const std::string& shard) {
    return TokenShard(dir_ / "out/text_" + shard, 1 << 16).size();
  };
  put_file(dir_ / "two.txt", "x");  // and <|endoftext|>
  for (const std::string& files :
       {dir_ / "a.txt", dir_ / "b.jsonl", dir_ / "a.txt" + " " + (dir_ / "b.jsonl"), dir_ / "two.txt"}) {
    const Outcome outcome = run(files + " " + out("out"));
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    const int64_t val = tokens("val_000000.bin"), train = tokens("train_000001.bin");
    const double share = double(val) / double(val + train);
    EXPECT_TRUE(val == 1 || (share > 0.05 && share < 0.15)) << outcome.output;
    EXPECT_NE(outcome.output.find("--val-tokens " + std::to_string(val)), std::string::npos)
        << outcome.output;
    fs::remove_all(dir_ / "out");
  }
  ASSERT_EQ(run(files_ + out("out") + " --shard-tokens 1000").status, 0);
  EXPECT_EQ(tokens("val_000000.bin"), 1000);  // at most as many as in the others
}

TEST_F(Tokenize, WhereNothingIsMadeNothingStays) {
  put_file(dir_ / "one.txt", "hello");
  put_file(dir_ / "empty.txt", "");
  put_file(dir_ / "bad.jsonl", "hello\n");
  fs::create_directory(dir_ / "there");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {dir_ / "one.txt" + " --val-tokens 6", "has only 6 tokens, and the first 6 are for validation"},
      {dir_ / "one.txt" + " --val-tokens 7", "has only 6 tokens, and the first 7 are for validation"},
      {dir_ / "empty.txt", "the corpus is empty"},
      {dir_ / "empty.txt" + " --val-tokens 0", "the corpus is empty"},
      {dir_ / "bad.jsonl", "bad.jsonl, line 1: not valid JSON"},
      {dir_ / "bad.jsonl" + " --val-tokens 1", "bad.jsonl, line 1: not valid JSON"}};
  for (const auto& [flags, message] : cases) {
    expect_error(flags + " " + out("made/by/us"), message);
    EXPECT_FALSE(fs::exists(dir_ / "made")) << flags;
    expect_error(flags + " " + out("there"), message);
    EXPECT_TRUE(fs::is_empty(dir_ / "there")) << flags;
  }
  // and the flag that the message advises is taken
  EXPECT_EQ(run(dir_ / "one.txt" + " --val-tokens 5 " + out("there")).status, 0);
}

TEST_F(Tokenize, FilesOfOthersStay) {
  const std::string flags = files_ + out("out") + " --shard-tokens 100000";
  const std::vector<std::string> others = {"text_notes.tmp.old",   "text_train_000001.bin.tmp.x",
                                           "text_train_1.bin",     "text_embeddings.bin",
                                           "text_val_00000a.bin",  "text_.tmp.1",
                                           "texts_val_000000.bin", "text_more_manifest.json.tmp.7"};
  fs::create_directory(dir_ / "out");
  for (const std::string& name : others) put_file(dir_ / "out/" + name, "mine");
  put_file(dir_ / "out/text_train_000001.bin.tmp.77", "of a killed run");
  put_file(dir_ / "out/text_manifest.json.tmp.77", "of a killed run");
  ASSERT_EQ(run(flags).status, 0);
  for (const std::string& name : others) EXPECT_EQ(file_bytes(dir_ / "out/" + name), "mine") << name;
  EXPECT_FALSE(fs::exists(dir_ / "out/text_train_000001.bin.tmp.77"));
  EXPECT_FALSE(fs::exists(dir_ / "out/text_manifest.json.tmp.77"));
  put_file(dir_ / "out/text_train_000077.bin", "mine");
  expect_error(flags, "has text_train_000077.bin, which its manifest does not list");
  EXPECT_EQ(file_bytes(dir_ / "out/text_train_000077.bin"), "mine");
}

// A run that goes on finds a shard that its manifest does not list: it is the next one, or somebody else's.
TEST_F(Tokenize, TheNextShardIsTakenOnlyIfItIsTheSame) {
  const std::string flags = files_ + out("out") + " --shard-tokens 50000 --val-tokens 50000";
  ASSERT_EQ(run(flags).status, 0);
  const std::string manifest = dir_ / "out/text_manifest.json",
                    last = expand_pattern(dir_ / "out/*.bin").front();
  const std::string bytes = file_bytes(last);
  nlohmann::ordered_json object = nlohmann::ordered_json::parse(file_bytes(manifest));
  object["shards"] =
      nlohmann::ordered_json::array();  // as a run that was killed during the first shard leaves it
  object["done"] = false;
  object["next"] = {{"file", 0}, {"offset", 0}, {"line", 1}, {"begins_document", true}, {"skip", 0}};
  for (const auto& path : expand_pattern(dir_ / "out/*.bin")) fs::remove(path);
  for (const std::string& content : {std::string("mine"), bytes.substr(0, bytes.size() - 2), bytes + "xx"}) {
    put_file(manifest, sealed(object));
    put_file(dir_ / "out/text_val_000000.bin", content);
    expect_error(flags, "text_val_000000.bin: already exists with other content");
    EXPECT_EQ(file_bytes(dir_ / "out/text_val_000000.bin"), content);
  }
  fs::remove(dir_ / "out/text_val_000000.bin");
  ASSERT_EQ(run(flags).status, 0);
  EXPECT_EQ(ids_of_folder("out"), expected_);
}

TEST_F(Tokenize, AManifestThatNoRunWroteIsRefused) {
  const std::string flags = files_ + out("out") + " --shard-tokens 100000 --val-tokens 20000";
  ASSERT_EQ(run(flags).status, 0);
  const std::string path = dir_ / "out/text_manifest.json";
  auto good = nlohmann::ordered_json::parse(file_bytes(path));
  // as it is after the first two shards
  const auto all = good["shards"];
  good["shards"] = {all[0], all[1]};
  good["done"] = false;
  good["next"] = {{"file", 0}, {"offset", 0}, {"line", 1}, {"begins_document", true}, {"skip", 0}};
  for (size_t i = 2; i < all.size(); ++i) fs::remove(dir_ / "out/" + all[i]["file"].get<std::string>());
  const std::string no_run = "damaged, edited or of another version of tokenize",
                    no_block = "no block begins at byte";
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"/next/offset", "-1", no_run},
      {"/next/offset", "-9223372036854775808", no_run},
      {"/next/offset", "1e3", no_run},
      {"/next/offset", "\"0\"", no_run},
      {"/next/offset", "18446744073709551615", no_run},
      {"/next/offset", "7", no_block},
      {"/next/offset", "1000000000", "ends before byte 1000000000"},
      {"/next/file", "-1", no_run},
      {"/next/file", "3", no_run},
      {"/next/file", "2", "the corpus has nothing for shard 2"},
      {"/next/line", "0", no_run},
      {"/next/line", "2", no_block},
      {"/next/skip", "-1", no_run},
      {"/next/skip", "1000000000", "no token 1000000000 in the block"},
      {"/next/begins_document", "1", no_run},
      {"/next/begins_document", "false", no_block},
      {"/next", "[]", no_run},
      {"/done", "0", no_run},
      {"/shards", "{}", no_run},
      {"/shards/0/file", "\"../a.txt\"", no_run},
      {"/shards/0/file", "7", no_run},
      {"/shards/0/tokens", "-20000", no_run},
      {"/shards/0/tokens", "19999", no_run},
      {"/shards/1/file", "\"text_val_000000.bin\"", no_run},
      {"/shards/1/digest", "7", no_run},
      {"/shards/1/digest", "\"\"", no_run},
      {"/shards/1/digest", "\"0123456789abcdeg\"", no_run},
      {"/shards/1/digest", "\"0123456789abcdef\"", "text_train_000001.bin: changed since tokenize wrote it"},
      {"/settings/files", "{}", no_run},
      {"/settings", "[]", no_run},
      {"/settings/--val-tokens", "-5", "--val-tokens was -5"}};
  for (const auto& [at, value, message] : cases) {
    auto edited = good;
    edited[nlohmann::ordered_json::json_pointer(at)] = nlohmann::ordered_json::parse(value);
    put_file(path, edited.dump());
    expect_error(flags, no_run);
    put_file(path, sealed(edited));
    expect_error(flags, message);
    EXPECT_EQ(file_bytes(path), sealed(edited)) << at;
  }
}

TEST_F(Tokenize, OfTwoAtOnceInOneFolderTheSecondIsRefused) {
  std::string lines;
  for (int i = 0; i < 600'000; ++i) lines += "{\"text\": \"a line of a corpus that takes a while\"}\n";
  put_file(dir_ / "long.jsonl", lines);
  const pid_t first = fork();
  if (first == 0) {
    std::freopen("/dev/null", "w", stdout);
    execl(kProgram.c_str(), "tokenize", (dir_ / "long.jsonl").c_str(), "--out", (dir_ / "out").c_str(),
          "--threads", "1", nullptr);
    _exit(127);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!fs::exists(dir_ / "out/.text.lock") && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ::kill(first, SIGSTOP);  // so that it is still at work, however slow this machine is
  expect_error(dir_ / "long.jsonl" + " " + out("out"), "another tokenize is writing text_*.bin there");
  EXPECT_EQ(run(files_ + out("out") + " --prefix other").status, 0);
  ::kill(first, SIGCONT);
  int status = -1;
  ::waitpid(first, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(fs::exists(dir_ / "out/.text.lock"));
  EXPECT_EQ(run(dir_ / "long.jsonl" + " " + out("out")).status, 0);  // nothing left to do
}

TEST_F(Tokenize, ATextThatChangesWhileItIsReadIsNoticed) {
  std::string lines;
  for (int i = 0; i < 600'000; ++i) lines += "{\"text\": \"a line of a corpus that takes a while\"}\n";
  put_file(dir_ / "long.jsonl", lines);
  const pid_t child = fork();
  if (child == 0) {
    std::freopen("/dev/null", "w", stdout);
    std::freopen((dir_ / "errors").c_str(), "w", stderr);
    execl(kProgram.c_str(), "tokenize", (dir_ / "long.jsonl").c_str(), "--out", (dir_ / "out").c_str(),
          "--threads", "1", "--shard-tokens", "10000", nullptr);
    _exit(127);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!fs::exists(dir_ / "out/text_val_000000.bin") && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ::kill(child, SIGSTOP);
  std::fstream(dir_ / "long.jsonl", std::ios::in | std::ios::out).seekp(11).write("X", 1);
  ::kill(child, SIGCONT);
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_NE(file_bytes(dir_ / "errors").find("long.jsonl: changed while it was read"), std::string::npos)
      << file_bytes(dir_ / "errors");
  EXPECT_FALSE(nlohmann::json::parse(file_bytes(dir_ / "out/text_manifest.json")).at("done").get<bool>());
}

TEST_F(Tokenize, APipeIsAnError) {
  ASSERT_EQ(mkfifo((dir_ / "pipe.txt").c_str(), 0600), 0);
  expect_error(dir_ / "pipe.txt" + " " + out("out"), "pipe.txt: not a regular file but a pipe");
}

}  // namespace
}  // namespace gpt2::testing
