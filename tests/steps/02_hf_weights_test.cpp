// The model's own tests on every variant of checkpoint are in tests/common/nn/pretrained_test.cpp.
#include <fmt/ranges.h>

#include <filesystem>
#include <tuple>

#include "common/data/npy.h"
#include "common/data/png.h"
#include "common/data/safetensors.h"
#include "steps/01_module/gpt2.h"
#include "tests/common/testing.h"
#include "tests/steps/program.h"

// Both steps' headers define GPT: the one before gets a namespace of its own.
#include "common/nn/hf_config.h"
#include "common/nn/pretrained.h"
namespace step02 {
#include "paths.h"
#include "steps/02_hf_weights/gpt2.h"
}  // namespace step02

using namespace gpt2::testing;

namespace {

const std::string kGolden = GPT2_SOURCE_DIR "/tests/golden/";

std::string ids_of(const std::string& key) {
  const auto ids = nlohmann::json::parse(file_bytes(kGolden + "hf.json")).at(key).get<std::vector<int>>();
  return fmt::format("{}", fmt::join(ids, ","));
}

}  // namespace

TEST(HfWeights, GivenTheSameWeightsTheLogitsAreThoseOfStep01) {
  nn::manual_seed(1);
  GPT before(config_named("tiny", 257));
  nn::manual_seed(1);
  step02::GPT model(step02::config_named("tiny", 257));
  const NoGrad no_grad;
  const Tensor x = from_vector(std::vector<int32_t>{1, 2, 3, 256, 0, 5}, {2, 3});
  EXPECT_EQ(model(x).to_vector<float>(), before(x).to_vector<float>());
}

TEST(HfWeights, TheProgramsLogitsAreThoseOfTransformers) {
  const TempDir folder;
  const std::string npy = folder / "logits.npy";
  const Outcome outcome = run_program("02_hf_weights", "--model data/fixtures/tiny-gpt2 --ids " +
                                                           ids_of("tiny_gpt2_ids") + " --logits " + npy);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  const gpt2::NpyFile actual(npy), expected(kGolden + "tiny_gpt2_logits.npy");
  EXPECT_EQ(actual.shape(), expected.shape());
  EXPECT_LE(max_relative_error(actual.values<float>(), expected.values<float>()), 1e-4);
}

TEST(HfWeights, ExploreListsEveryTensorAndDrawsThePositionEmbeddings) {
  const TempDir folder;
  const std::string command = "cd " + folder.path() +
                              " && " GPT2_BIN_DIR "/02_hf_weights --explore --model " GPT2_SOURCE_DIR
                              "/data/fixtures/tiny-gpt2 > explore.txt";
  ASSERT_EQ(std::system(command.c_str()), 0);
  const std::string text = file_bytes(folder / "explore.txt");
  EXPECT_NE(text.find("transformer.h.0.attn.c_attn.weight       F32   (39, 117)"), std::string::npos) << text;
  if (gpt2::kCanWritePng) {
    EXPECT_EQ(file_bytes(folder / "wpe.png").substr(1, 3), "PNG");
  } else {
    EXPECT_NE(text.find("not drawn: this build has no libpng"), std::string::npos) << text;
  }
}

// A tensor's name is what somebody wrote into a file: colours, say, or keys that the terminal then sends.
TEST(HfWeights, NoControlCharacterOfANameReachesTheTerminal) {
  const TempDir folder;
  const std::string fixture = GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2/";
  put_file(folder / "config.json", file_bytes(fixture + "config.json"));
  const gpt2::SafetensorsFile file(fixture + "model.safetensors");
  std::vector<gpt2::SafetensorsEntry> entries = file.entries();
  entries.push_back(entries.front());
  for (const auto& [name, status, shown] : std::vector<std::tuple<std::string, int, std::string>>{
           {"\x1b[31m\n.attn.bias", 1, "tensor \"\\u001b[31m\\n.attn.bias\" has control characters"},
           {"\xC2\x9b"
            "31m.attn.bias",
            0, "\\u009b31m.attn.bias"},  // a mask, which is not loaded
           {"\xC2\x9b"
            "31m",
            1, "tensor \\u009b31m belongs to no layer"}}) {
    entries.back().name = name;
    gpt2::write_safetensors(folder / "model.safetensors", entries);
    const std::string command = "cd " + folder.path() +
                                " && " GPT2_BIN_DIR
                                "/02_hf_weights --explore --ids 1 --device cpu --model . > out 2>&1";
    EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), status) << name;
    const std::string output = file_bytes(folder / "out");
    EXPECT_NE(output.find(shown), std::string::npos) << output;
    EXPECT_EQ(output.find('\x1b'), std::string::npos);
    EXPECT_EQ(output.find("\xC2\x9b"), std::string::npos);
  }
}

// Every weight is finite, and yet the logits are not.
TEST(HfWeights, LogitsThatAreNotFiniteAreOneLine) {
  const TempDir folder;
  const gpt2::SafetensorsFile file(GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2/model.safetensors");
  std::vector<gpt2::SafetensorsEntry> entries = file.entries();
  const std::vector<float> huge(39, 3e38f);
  for (auto& entry : entries)
    if (entry.name == "transformer.ln_f.weight") entry.bytes = std::as_bytes(std::span(huge));
  gpt2::write_safetensors(folder / "model.safetensors", entries);
  put_file(folder / "config.json", file_bytes(GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2/config.json"));
  for (const std::string& flags : {std::string(), " --logits " + (folder / "l.npy")})
    expect_error("02_hf_weights", "--model " + folder.path() + " --ids 1,2" + flags,
                 "the model's output is not finite: logit ");
  EXPECT_FALSE(std::filesystem::exists(folder / "l.npy"));
}

TEST(HfWeights, BadInputIsOneLine) {
  const std::string model = "--model data/fixtures/tiny-gpt2 ";
  expect_error("02_hf_weights", model + "--ids 1,2,x", "--ids 1,2,x: expected ids from 0 to 256");
  expect_error("02_hf_weights", model + "--ids 1,257", "--ids 1,257: expected ids from 0 to 256");
  expect_error("02_hf_weights", model + "--ids 1 --batch 2", "--ids: --batch would be ignored beside it");
  expect_error("02_hf_weights", model + "--ids 1 --seq 2", "--ids: --seq would be ignored beside it");
  const std::string weights = "data/fixtures/tiny-gpt2/model.safetensors";
  expect_error("02_hf_weights", model + "--ids 1 --logits " + weights,
               "--logits: " + weights + ": the file exists and is not a .npy file");
  expect_error("02_hf_weights", model + "--ids 1,", "--ids 1,: expected ids");
  expect_error("02_hf_weights", model + "--ids 1,2 --logits /nowhere/l.npy", "/nowhere/l.npy");
  expect_error("02_hf_weights", model + "--seq 38", "--seq 38 is longer than the model's block size 37");
  expect_error("02_hf_weights", model + "--logits x.npy", "--logits");
  expect_error("02_hf_weights", "--explore", "--explore");
  expect_error("02_hf_weights", "--model tests/golden", "config.json");
}

TEST(HfWeights, MoreIdsThanPositionsAreOneLine) {
  std::string ids = "1";
  for (int i = 0; i < 37; ++i) ids += ",1";
  expect_error("02_hf_weights", "--model data/fixtures/tiny-gpt2 --ids " + ids, "block size 37");
}
