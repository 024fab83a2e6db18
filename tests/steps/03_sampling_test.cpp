#include <fmt/ranges.h>

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
  expect_error("03_sampling", model + "--ids 999", "--ids 999: expected ids from 0 to 256");
  expect_error("03_sampling", "--model gpt2 --prompt Hi --max-tokens 1", "--tokenizer");
}
