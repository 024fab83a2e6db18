// convert as a black box: there and back, and what it refuses.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "common/data/safetensors.h"
#include "common/nn/hf_config.h"
#include "paths.h"
#include "tests/common/files.h"

namespace gpt2::testing {
namespace {

namespace fs = std::filesystem;

// The fixture with llm.c's epsilon, in `dir`.
std::string fixture_in(const TempDir& dir) {
  const std::string source = GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2", folder = dir / "fixture";
  fs::create_directory(folder);
  fs::copy(source + "/model.safetensors", folder);
  HfConfig config = read_hf_config(source);
  config.layer_norm_epsilon = 1e-5;
  put_file(folder + "/config.json", to_json(config));
  return folder;
}

struct Outcome {
  int status;
  std::string output;  // and errors
};

Outcome convert(const std::string& flags) {
  FILE* pipe = popen((GPT2_BIN_DIR "/convert " + flags + " 2>&1").c_str(), "r");
  std::string output;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, n);
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128, output};
}

void expect_converted(const std::string& flags) {
  const Outcome outcome = convert(flags);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
}

}  // namespace

TEST(Convert, AFolderBecomesLlmcsFileAndAFolderAgain) {
  const TempDir dir;
  const std::string source = fixture_in(dir), bin = dir / "model.bin", folder = dir / "folder";
  expect_converted(source + " --out " + bin);
  expect_converted(bin + " --out " + folder + " --tokenizer byte");
  EXPECT_EQ(read_hf_config(folder), read_hf_config(source));
  const SafetensorsCheckpoint found(folder), expected(source);
  ASSERT_EQ(found.entries().size(), expected.entries().size());
  for (const auto& [name, entry] : expected.entries()) {
    ASSERT_NE(found.find(name), nullptr) << name;
    EXPECT_TRUE(std::ranges::equal(found.find(name)->bytes, entry.bytes)) << name;
  }
  // The folder has its tokenizer, so that the program with text needs no other flag.
  expect_converted(folder + " --out " + (dir / "again"));
  EXPECT_EQ(file_bytes(folder + "/model.safetensors"), file_bytes(dir / "again/model.safetensors"));
}

TEST(Convert, Bf16HasHalfTheBytes) {
  const TempDir dir;
  const std::string source = fixture_in(dir);
  for (const std::string dtype : {"fp32", "bf16"})
    expect_converted(source + " --dtype " + dtype + " --out " + (dir / (dtype + ".bin")));
  EXPECT_EQ(fs::file_size(dir / "fp32.bin") - 1024, 2 * (fs::file_size(dir / "bf16.bin") - 1024));
}

TEST(Convert, AMistakeIsOneLineAndWritesNothing) {
  const TempDir dir;
  put_file(dir / "there.bin", "mine");
  put_file(dir / "torch.bin", "PK");
  const std::string source = fixture_in(dir);
  expect_converted(source + " --out " + (dir / "tiny.bin"));
  for (const auto& [flags, message] : std::vector<std::pair<std::string, std::string>>{
           {source, "--out: name a file NAME.bin or a folder"},
           {source + " " + source + " --out DIR/a.bin", "2 models; give one"},
           {"tiny --out DIR/a.bin", "tiny: no such folder or file of weights"},
           {"DIR/none --out DIR/a.bin", "none: no such folder"},
           {"DIR/torch.bin --out DIR/a", "torch.bin: not a model file of llm.c"},
           {source + " --out DIR/there.bin", "there.bin: it exists; give another name"},
           {source + " --out DIR/none/a.bin", "none/a.bin"},
           {source + " --out DIR/a --dtype bf16", "--dtype: only for llm.c's file"},
           {source + " --out DIR/a.bin --tokenizer byte", "--tokenizer: only for a folder"},
           {"DIR/tiny.bin --out DIR/a", "a vocabulary of 257 is not GPT-2's; give --tokenizer"},
           {GPT2_SOURCE_DIR "/tests/golden/hf_untied --out DIR/a.bin",
            "llm.c has no output layer of its own"}}) {
    std::string line = flags;
    for (size_t at; (at = line.find("DIR")) != line.npos;) line.replace(at, 3, dir.path());
    const Outcome outcome = convert(line);
    EXPECT_EQ(outcome.status, 1) << line;
    EXPECT_EQ(outcome.output.find("convert: "), 0u) << outcome.output;
    EXPECT_NE(outcome.output.find(message), std::string::npos) << outcome.output << "expected: " << message;
    EXPECT_EQ(outcome.output.find('\n'), outcome.output.size() - 1) << outcome.output;
  }
  EXPECT_EQ(dir.names(), (std::vector<std::string>{"fixture", "there.bin", "tiny.bin", "torch.bin"}));
  EXPECT_EQ(file_bytes(dir / "there.bin"), "mine");
}

}  // namespace gpt2::testing
