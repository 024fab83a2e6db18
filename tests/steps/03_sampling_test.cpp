#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "common/data/safetensors.h"
#include "paths.h"
#include "tests/steps/program.h"

using namespace gpt2::testing;

namespace {

const nlohmann::json& golden() {
  static const auto golden = nlohmann::json::parse(file_bytes(GPT2_SOURCE_DIR "/tests/golden/sampling.json"));
  return golden;
}

// The ids of all samples of a run of the fixture model.
std::vector<std::vector<int>> sample(const std::string& flags) {
  const Outcome outcome = run_program("03_sampling", "--model data/fixtures/tiny-gpt2 " + flags);
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  std::vector<std::vector<int>> ids;
  for (const auto& event : outcome.events("sample")) ids.push_back(event.at("ids"));
  return ids;
}

std::string prompt() {
  return fmt::format("--ids {} ", fmt::join(golden().at("prompt").get<std::vector<int>>(), ","));
}

}  // namespace

TEST(Sampling, TheSameSeedGivesTorchsIds) {
  for (const auto& run : golden().at("sampled")) {
    const std::string flags =
        fmt::format("--num-sequences 5 --max-tokens 30 --top-k 50 --seed 42 --temperature {}",
                    run.at("temperature").get<double>());
    EXPECT_EQ(sample(prompt() + flags), run.at("ids").get<std::vector<std::vector<int>>>());
  }
}

TEST(Sampling, TopOneIsGreedy) {
  const auto greedy = golden().at("greedy").at("ids").get<std::vector<int>>();
  const size_t added = greedy.size() - golden().at("prompt").size();
  EXPECT_EQ(sample(prompt() + fmt::format("--num-sequences 1 --top-k 1 --max-tokens {}", added)).at(0),
            greedy);
}

TEST(Sampling, EachSequenceOfABatchIsWhatItsLogitsSay) {
  // Greedy rows do not depend on their neighbours.
  const auto alone = sample("--prompt Abc --num-sequences 1 --top-k 1 --max-tokens 8");
  for (const auto& row : sample("--prompt Abc --num-sequences 3 --top-k 1 --max-tokens 8"))
    EXPECT_EQ(row, alone.at(0));
}

TEST(Sampling, GoesOnBeyondTheBlockSize) {
  EXPECT_EQ(sample("--prompt Abc --num-sequences 2 --max-tokens 60").at(1).size(), 63u);  // 37 positions
}

TEST(Sampling, TheTextOfASampleIsItsIdsDecoded) {
  const Outcome outcome = run_program(
      "03_sampling", "--model data/fixtures/tiny-gpt2 --prompt 'Hi there' --num-sequences 1 --max-tokens 1");
  const std::string text = outcome.events("sample").at(0).at("text");
  EXPECT_EQ(text.substr(0, 8), "Hi there");
}

TEST(Sampling, PrintIdsOnlyTokenises) {
  const Outcome outcome = run_program("03_sampling", "--print-ids 'hi !'");
  EXPECT_EQ(outcome.output, "71,72,220,0\n");
  EXPECT_TRUE(outcome.events("sample").empty());
}

TEST(Sampling, EndOfTextIsOneTokenUnlessToldNotTo) {
  for (const auto& [flags, ids] : std::vector<std::pair<std::string, std::string>>{
           {"", "0,256,0\n"},
           {"--special-tokens on ", "0,256,0\n"},
           {"--special-tokens off ", "0,27,91,68,77,67,78,69,83,68,87,83,91,29,0\n"},
           {"--model data/fixtures/tiny-gpt2 ", "0,256,0\n"}})
    EXPECT_EQ(run_program("03_sampling", flags + "--print-ids '!<|endoftext|>!'").output, ids) << flags;
  EXPECT_EQ(sample("--prompt '<|endoftext|>A' --num-sequences 1 --max-tokens 1").at(0).size(), 3u);
  EXPECT_NE(run_program("03_sampling", "--help").output.find("<|endoftext|>"), std::string::npos);
}

// The model has 257 rows; whatever the tokenizer, no id is drawn that it cannot decode.
TEST(Sampling, DrawsOnlyIdsThatTheTokenizerHas) {
  const TempDir folder;
  put_file(folder / "text", "abc");
  for (const auto& [flags, largest] : std::vector<std::pair<std::string, int>>{
           {"--tokenizer char --data " + (folder / "text"), 2}, {"--tokenizer byte", 256}}) {
    const auto rows = sample(flags + " --prompt abc --max-tokens 30 --top-k 300");
    ASSERT_EQ(rows.size(), 5u) << flags;
    for (const auto& row : rows) {
      EXPECT_EQ(row.size(), 33u);
      EXPECT_LE(*std::max_element(row.begin(), row.end()), largest) << flags;
    }
  }
  expect_error("03_sampling",
               "--model data/fixtures/tiny-gpt2 --tokenizer char --data " + (folder / "text") + " --ids 3",
               "--ids 3: expected ids from 0 to 2");
}

// Ids 215 and 58 are ESC and [: colours, cursor, keys. The log has the exact text.
TEST(Sampling, NoControlCharacterReachesTheTerminal) {
  const Outcome outcome = run_program(
      "03_sampling", "--model data/fixtures/tiny-gpt2 --ids 215,58,18,202 --num-sequences 2 --max-tokens 40");
  EXPECT_EQ(outcome.status, 0) << outcome.error;
  EXPECT_NE(outcome.output.find("> \\u001b[3"), std::string::npos) << outcome.output;
  for (const unsigned char c : outcome.output) EXPECT_TRUE(c >= 0x20 || c == '\n' || c == '\t') << int(c);
  const std::string text = outcome.events("sample").at(0).at("text");
  EXPECT_EQ(text.substr(0, 3), "\x1b[3");
}

// Every weight is finite, and yet the logits are not.
TEST(Sampling, LogitsThatAreNotFiniteAreOneLine) {
  const TempDir folder;
  const gpt2::SafetensorsFile file(GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2/model.safetensors");
  std::vector<gpt2::SafetensorsEntry> entries = file.entries();
  const std::vector<float> huge(39, 3e38f);
  for (auto& entry : entries)
    if (entry.name == "transformer.ln_f.weight") entry.bytes = std::as_bytes(std::span(huge));
  gpt2::write_safetensors(folder / "model.safetensors", entries);
  for (const std::string name : {"config.json", "vocab.json", "merges.txt"})
    std::filesystem::copy(GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2/" + name, folder.path());
  for (const std::string top_k : {"1", "50"})
    expect_error("03_sampling", "--model " + folder.path() + " --prompt Once --top-k " + top_k,
                 "sampling: probability 0 of row 0 is nan");
}

TEST(Sampling, BadInputIsOneLine) {
  const std::string model = "--model data/fixtures/tiny-gpt2 ";
  expect_error("03_sampling", model + "--prompt ''", "--prompt");
  expect_error("03_sampling", model + "--top-k 0", "--top-k");
  expect_error("03_sampling", model + "--temperature 0", "--temperature");
  expect_error("03_sampling", model + "--ids 1 --prompt a", "--ids: --prompt would be ignored beside it");
  expect_error("03_sampling", model + "--ids 1 --print-ids a",
               "--print-ids: --ids would be ignored beside it");
  expect_error("03_sampling", model + "--print-ids a --prompt a",
               "--print-ids: --prompt would be ignored beside it");
  expect_error("03_sampling", "--model my-model", "--model my-model: no such folder; expected tiny");
  expect_error("03_sampling", model + "--ids 999", "--ids 999: expected ids from 0 to 256");
  const TempDir folder;
  std::filesystem::copy(
      GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2", folder.path(),
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  for (const char* name : {"vocab.json", "merges.txt"}) std::filesystem::remove(folder / name);
  expect_error("03_sampling", "--model " + folder.path(), "the folder has no tokenizer");
  put_file(folder / "tokenizer.json", "");
  expect_error("03_sampling", "--model " + folder.path(), "tokenizer.json: not valid JSON");
  put_file(folder / "tokenizer.json",
           file_bytes(GPT2_SOURCE_DIR "/tests/golden/saved_tokenizer/tokenizer.json"));
  expect_error("03_sampling", "--model " + folder.path(),
               "the tokenizer has 300 ids, but the model has only 257 rows for them");
}
