#include "common/app/inputs.h"

#include <sys/stat.h>

#include <filesystem>

#include "common/nn/hf_config.h"
#include "common/nn/llmc_model.h"
#include "tests/common/files.h"

namespace gpt2 {
namespace {

namespace fs = std::filesystem;
using testing::error_of;
using testing::put_file;
using testing::TempDir;

TEST(ReadCorpus, ReadsATextAndRefusesTheRest) {
  const TempDir dir;
  put_file(dir / "a.txt", "Hello\n");
  put_file(dir / "empty.txt", "");
  put_file(dir / "tail.txt", std::string(100'000, 'x') + std::string(1, '\0') + "y");
  put_file(dir / "pointer.txt", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 5\n");
  put_file(dir / "a.jsonl", "{\"text\": \"hello\"}\n");
  put_file(dir / "shard.bin", std::string_view("\x88\xd8\x34\x01\1\0\0\0", 8));
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(app::read_corpus(dir / "a.txt"), "Hello\n");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {dir / "empty.txt", "the file is empty"},
      {dir / "a.jsonl", "JSON, not text"},
      {dir / "tail.txt", "not text: it has a NUL byte at offset 100000"},
      {dir / "pointer.txt", "a Git LFS pointer, not the file itself"},
      {dir / "shard.bin", "token ids, not text"},
      {dir / "pipe", "not a regular file but a pipe"},
      {dir.path(), "not a regular file but a folder"},
      {dir / "*.txt", "a pattern; only 13_fineweb reads many files"},
      {dir / "data/shakespeare/input.txt",
       "; ./course data shakespeare downloads data/shakespeare/input.txt"},
      {"data/fineweb-edu/edu_fineweb_train_*.bin", "; ./course data fineweb-edu downloads"}};
  for (const auto& [path, expected] : cases) EXPECT_ERROR(app::read_corpus(path, "--val-data"), expected);
  EXPECT_ERROR(app::read_corpus(dir / "a.jsonl", "--val-data"),
               "--val-data " + dir / "a.jsonl" + ": JSON, not text");
}

TEST(ResolveModel, ASizeIsNoFolder) {
  for (const char* name : {"tiny", "gpt2", "d12", "no-such-size"}) {
    app::Options options;
    options.model = name;
    EXPECT_FALSE(app::resolve_model(options)) << name;
    EXPECT_EQ(options.model, name);
  }
}

TEST(ResolveModel, LlmcsNamesAreOursForTheSameSizes) {
  for (const auto& [name, size] : std::vector<std::pair<std::string, std::string>>{
           {"d12", "d12"}, {"d24", "gpt2-medium"}, {"d36", "gpt2-large"}, {"d48", "gpt2-xl"}}) {
    app::Options options;
    options.model = name;
    EXPECT_FALSE(app::resolve_model(options)) << name;
    EXPECT_EQ(options.model, size);
  }
}

// The vocabulary decides whether GPT-2's tokenizer fits llm.c's file.
TEST(ResolveModel, OfLlmcItIsTheFile) {
  const TempDir dir;
  HfConfig config{
      .vocab_size = 50257, .n_positions = 8, .n_embd = 2, .n_layer = 1, .n_head = 1, .eos_token_id = {}};
  const std::string path = dir / "model.bin";
  nn::save_llmc(nn::Gpt2Weights(config), config, path, DType::bf16);
  app::Options options;
  options.model = path;
  EXPECT_TRUE(app::resolve_model(options));
  EXPECT_EQ(options.model, path);
  EXPECT_TRUE(app::default_tokenizer(path).ends_with("data/gpt2"));
  config.eos_token_id = 50256;
  EXPECT_EQ(read_hf_config(path), config);
  config.vocab_size = 50;
  config.eos_token_id.reset();
  nn::save_llmc(nn::Gpt2Weights(config), config, path, DType::bf16);
  EXPECT_ERROR(app::default_tokenizer(path),
               "llm.c's file has no tokenizer, and a vocabulary of 50 is not GPT-2's; give --tokenizer");
  EXPECT_EQ(app::default_tokenizer("tiny"), "byte");
  EXPECT_EQ(app::default_tokenizer(dir.path()), dir.path());
  put_file(path, "weights of torch");
  EXPECT_ERROR(app::resolve_model(options), path + ": not a model file of llm.c");
}

// As the folder of a run has after --out tiny.
TEST(ResolveModel, AFolderNamedLikeASizeIsMeantOnlyIfItHasAModel) {
  const TempDir dir;
  const fs::path before = fs::current_path();
  fs::current_path(dir.path());
  fs::create_directories("tiny/step_000001");
  app::Options options;
  EXPECT_FALSE(app::resolve_model(options));
  EXPECT_FALSE(app::is_directory("tiny"));
  put_file("tiny/config.json", "{}");
  ::testing::internal::CaptureStdout();
  EXPECT_TRUE(app::resolve_model(options));
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            "--model tiny: the folder of this name, not the size\n");
  fs::current_path(before);
}

TEST(ResolveModel, AFolderOfWeightsIsTakenAsItIs) {
  const TempDir dir;
  put_file(dir / "config.json", "{}");
  fs::create_directory(dir / "step_000001");  // and no run's
  app::Options options;
  options.model = dir.path();
  EXPECT_TRUE(app::resolve_model(options));
  EXPECT_EQ(options.model, dir.path());
}

TEST(ResolveModel, OfARunItIsTheNewestCheckpoint) {
  const TempDir dir;
  for (const char* name : {"step_000009", "step_000100", "step_000020", ".step_000200.tmp", "step_x"})
    fs::create_directory(dir / name);
  put_file(dir / "log.jsonl", "");
  app::Options options;
  options.model = dir.path();
  EXPECT_ERROR(app::resolve_model(options), "step_000100 has no state.json");
  put_file(dir / "step_000100/state.json", "{}");
  options.model = dir.path();
  ::testing::internal::CaptureStdout();
  EXPECT_TRUE(app::resolve_model(options));
  EXPECT_EQ(options.model, dir / "step_000100");
  EXPECT_EQ(
      ::testing::internal::GetCapturedStdout(),
      "--model " + dir.path() + ": a run's folder; its newest checkpoint is " + (dir / "step_000100") + "\n");
}

TEST(ResolveModel, WhatIsNotThereIsAnErrorThatSaysWhatToDo) {
  const TempDir dir;
  put_file(dir / "model.safetensors", "");
  fs::create_directories(dir / "data/gpt2");
  fs::create_symlink("nowhere", dir / "link");
  fs::create_symlink("nowhere", dir / "data/gpt2-large");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {dir / "none", "no such folder"},
      {dir / "link", "a link to nowhere, which does not exist"},
      {dir / "data/gpt2-large", "which does not exist; ./course data gpt2-large downloads data/gpt2-large"},
      {"./none", "./none: no such folder"},
      {dir / "data/gpt2-xl", "no such folder; ./course data gpt2-xl downloads data/gpt2-xl"},
      {"openai-community/gpt2", "no such folder; ./course data gpt2 downloads data/gpt2"},
      {dir / "data/gpt2",
       "neither a config.json nor checkpoints of a run; ./course data gpt2 downloads data/gpt2"},
      {dir.path(), "neither a config.json nor checkpoints of a run"},
      {dir / "model.safetensors", "a file; give the folder that it is in"}};
  for (const auto& [model, expected] : cases) {
    app::Options options;
    options.model = model;
    EXPECT_ERROR(app::resolve_model(options), expected);
    EXPECT_ERROR(app::resolve_model(options), "--model " + model);
  }
}

}  // namespace
}  // namespace gpt2
