#include "common/training/run_settings.h"

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/app/options.h"
#include "common/data/safetensors.h"
#include "common/training/run_options.h"
#include "paths.h"
#include "tests/common/files.h"

namespace gpt2::testing {
namespace {

using training::RunSettings;

// Ids of a file that is not there.
class Named final : public TokenSource {
 public:
  explicit Named(SourceIdentity identity) : identity_(std::move(identity)) {}
  int64_t size() const override { return 10'000; }
  const SourceIdentity& identity() const override { return identity_; }
  void set_content(uint64_t) override {}
  void read(int64_t, std::span<int32_t>) const override {}
  void will_need(int64_t, int64_t) const override {}

 private:
  SourceIdentity identity_;
};

// The settings of a program that is given these arguments.
RunSettings settings_of(std::vector<std::string> arguments,
                        const std::vector<SourceIdentity>& data = {{"a.bin", 10, 1, 1}}) {
  arguments.insert(arguments.begin(), "program");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  app::CommandLine flags("program", int(argv.size()), argv.data());
  app::Options options;
  training::RunOptions run;
  double max_lr = 6e-4;
  std::optional<double> min_lr;
  options.add_to(flags);
  run.add_to(flags);
  flags.add("--max-lr", max_lr, 0, 1, "");
  flags.add("--min-lr", min_lr, 0, 1, "");
  flags.parse();
  const auto tokenizer = make_tokenizer("byte", "");
  TokenSources sources;
  for (const SourceIdentity& source : data) sources.push_back(std::make_unique<Named>(source));
  const TokenLoader loader(std::move(sources), {.B = 4, .T = 64, .world = 2});
  return training::run_settings(flags, HfConfig{}, *tokenizer, loader, 6);
}

}  // namespace

// The weights that are loaded count, in whatever files the index places them.
TEST(RunSettings, AModelIsItsConfigurationAndItsWeights) {
  const TempDir folder;
  const auto model = [&](const std::string& name, const std::string& weights) {
    const std::string to = folder / name, file = to + "/" + weights;
    std::filesystem::copy(GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2", to);
    if (weights == "model.safetensors") return to;
    std::filesystem::rename(to + "/model.safetensors", file);
    nlohmann::json index;
    const SafetensorsFile opened(file);
    for (const SafetensorsEntry& entry : opened.entries()) index["weight_map"][entry.name] = weights;
    put_file(to + "/model.safetensors.index.json", index.dump());
    return to;
  };
  for (const char* weights : {"model.safetensors", "part-1.safetensors", "a.bin"}) {
    const std::string one = model(std::string("one_") + weights, weights),
                      two = model(std::string("two_") + weights, weights);
    EXPECT_EQ(training::model_identity(one), training::model_identity(two));
    std::string bytes = file_bytes(two + "/" + weights);
    bytes.back() = char(bytes.back() ^ 1);
    put_file(two + "/" + weights, bytes);
    EXPECT_NE(training::model_identity(one), training::model_identity(two)) << weights;
  }
}

TEST(RunSettings, HoldWhatWasResolved) {
  const RunSettings settings = settings_of({"--batch", "4", "--log", "/tmp/log"});
  EXPECT_EQ(settings.at("--batch"), 4);
  EXPECT_EQ(settings.at("--total-batch"), 3072);
  EXPECT_EQ(settings.at("--model"), "12 layers, 12 heads, 768 channels, block size 1024, vocabulary 50257");
  EXPECT_EQ(settings.at("ranks"), 2);
  EXPECT_EQ(settings.at("--min-lr"), 6e-4 / 10);
  EXPECT_EQ(settings.at("build").get<std::string>().size(), 16u);
  EXPECT_FALSE(settings.contains("--device"));
}

TEST(RunSettings, ADefaultGivenExplicitlyMakesNoDifference) {
  const RunSettings defaults = settings_of({});
  for (const auto& same : std::vector<std::vector<std::string>>{{"--batch", "4"},
                                                                {"--max-lr", "6e-4"},
                                                                {"--seq", "64"},
                                                                {"--tokenizer", "byte"},
                                                                {"--model", "tiny"},
                                                                {"--device", "cpu"},
                                                                {"--seed", "1337"},
                                                                {"--data", "tales"},
                                                                {"--order", "shuffled"}}) {
    EXPECT_EQ(settings_of(same), defaults) << same[0];
  }
  EXPECT_NE(settings_of({"--seed", "7"}), defaults);
}

TEST(RunSettings, APathThatIsNotUtf8CanBeStored) {
  const RunSettings settings = settings_of({"--out", "na\xefve"}, {{"\xff.bin", 10, 1, 1}});
  EXPECT_EQ(settings.at("--data").at(0), "\\xff.bin, 10 tokens, digest 0000000000000001");
  EXPECT_EQ(RunSettings::parse(settings.dump()), settings);
}

TEST(RunSettings, KnowTheData) {
  const SourceIdentity a{"a.bin", 10, 1, 1}, b{"b.bin", 10, 2, 2};
  const RunSettings settings = settings_of({}, {a, b});
  EXPECT_NE(settings_of({}, {b, a}), settings);
  EXPECT_NE(settings_of({}, {a}), settings);
  EXPECT_NE(settings_of({}, {a, {"b.bin", 11, 2, 2}}), settings);
  EXPECT_NE(settings_of({}, {a, {"b.bin", 10, 3, 2}}), settings);
}

TEST(RunSettings, KnowTheWeightsOfAModelFolder) {
  const TempDir folder;
  const auto model = [&](const std::string& name, bool is_other = false) {
    std::filesystem::create_directories(folder / name);
    std::filesystem::copy(GPT2_SOURCE_DIR "/data/fixtures/tiny-gpt2", folder / name);
    put_file(folder / (name + "/optimizer.safetensors"), name);
    std::string bytes = file_bytes(folder / (name + "/model.safetensors"));
    if (is_other) bytes.back() = char(bytes.back() ^ 1);
    put_file(folder / (name + "/model.safetensors"), bytes);
    return folder / name;
  };
  const std::string a = model("a"), same = model("same"), b = model("b", true),
                    own = model("run/step_000002");
  const auto weights = [&](const std::string& path, const std::string& out = "") {
    std::vector<std::string> flags = {"--model", path};
    if (!out.empty()) flags.insert(flags.end(), {"--out", out});
    return settings_of(flags).at("weights");
  };
  EXPECT_TRUE(weights("tiny").is_null());
  EXPECT_EQ(weights(a), weights(same));
  EXPECT_EQ(weights(a), weights(a + "/"));
  EXPECT_NE(weights(a), weights(b));
  EXPECT_EQ(weights(folder / "run"), weights(own)) << "its newest checkpoint";
  EXPECT_EQ(weights(own, folder / "elsewhere"), weights(a));
  EXPECT_EQ(weights(own, folder / "run"), training::kOwnWeights);
  EXPECT_EQ(weights(folder / "run", folder / "run/"), training::kOwnWeights);
}

TEST(RunSettings, KnowWhatTheRunIsMeasuredOn) {
  const TempDir folder;
  put_file(folder / "a.jsonl", "a");
  put_file(folder / "b.jsonl", "b");
  const auto hellaswag = [&](const std::string& name) {
    return settings_of({"--hellaswag", folder / name}).at("--hellaswag");
  };
  EXPECT_EQ(hellaswag("a.jsonl"),
            hellaswag("../" + folder.path().substr(folder.path().rfind('/') + 1) + "/a.jsonl"));
  EXPECT_NE(hellaswag("a.jsonl"), hellaswag("b.jsonl"));
  EXPECT_ERROR(hellaswag("none.jsonl"), "none.jsonl: cannot open");
  EXPECT_EQ(settings_of({}).at("--val-data"), "") << "there is no validation";
}

}  // namespace gpt2::testing
