#include "common/nn/checkpoints.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/app/inputs.h"
#include "common/app/inspect.h"
#include "common/training/checkpoint_digests.h"
#include "tests/common/files.h"
#include "tests/common/training/tiny_training.h"

namespace gpt2::testing {

namespace fs = std::filesystem;

TEST(Checkpoints, AStepHasOneName) {
  for (const auto& [name, step] :
       std::vector<std::pair<std::string, std::optional<int64_t>>>{{"step_000000", 0},
                                                                   {"out/step_000123", 123},
                                                                   {"step_1234567", 1234567},
                                                                   {"step_9223372036854775807", INT64_MAX},
                                                                   {"step_0001234567", std::nullopt},
                                                                   {"step_9223372036854775808", std::nullopt},
                                                                   {"step_-00001", std::nullopt},
                                                                   {"step_00012", std::nullopt},
                                                                   {"step_000123.unused", std::nullopt},
                                                                   {".step_000123", std::nullopt}}) {
    EXPECT_EQ(nn::step_of(name), step) << name;
  }
}

// Every way to open the model of a checkpoint compares it with its digests.
TEST(Checkpoints, ADamagedOneIsNotLoaded) {
  const auto flip = [](const std::string& path, size_t from_end) {
    std::string bytes = file_bytes(path);
    bytes.at(bytes.size() - from_end) ^= 1;
    put_file(path, bytes);
  };
  struct Case {
    std::string name;
    bool is_damage;
  };
  for (const Case& each : std::vector<Case>{{"model.safetensors", true},
                                            {"config.json", true},
                                            {"vocab.json", true},
                                            {"optimizer.safetensors", false}}) {  // not read
    SCOPED_TRACE(each.name);
    const TempDir out;
    Training training;
    const std::string path = training::save_checkpoint(out.path(), 1, {1}, training.state(), training.setup);
    EXPECT_NO_THROW(nn::load(training.model, path));
    fs::remove(path + "/merges.txt");  // a missing file is another error
    EXPECT_NO_THROW(nn::load(training.model, path));
    flip(path + "/" + each.name, 3);
    if (each.is_damage) {
      const std::string message =
          path + "/" + each.name + ": not the file that this checkpoint was written with";
      EXPECT_ERROR(nn::load(training.model, path), message);
      EXPECT_ERROR(app::explore(path, out / "picture.png"), message);
      fs::remove(path + "/state.json");  // a folder of another program has none
    }
    if (each.name != "config.json") {
      EXPECT_NO_THROW(nn::load(training.model, path));
    }
    put_file(path + "/state.json", "{\"files\": ");
    EXPECT_ERROR(nn::load(training.model, path), "state.json: not valid JSON");
    put_file(path + "/state.json", "[1, 2]");
    if (each.name != "config.json") {
      EXPECT_NO_THROW(nn::load(training.model, path));
    }
  }
}

// A folder that got a newer step's name would be taken for the newest checkpoint.
TEST(Checkpoints, OneUnderAnotherStepsNameIsNotLoaded) {
  const TempDir out;
  Training training;
  const std::string path = training::save_checkpoint(out.path(), 1, {1}, training.state(), training.setup);
  fs::rename(path, out / "step_000009");
  EXPECT_ERROR(nn::load(training.model, out / "step_000009"), "step_000009: its state.json is of step 1");
  fs::rename(out / "step_000009", out / "my-model");
  EXPECT_NO_THROW(nn::load(training.model, out / "my-model"));
}

// A file beside those of the checkpoint must not decide what is read.
TEST(Checkpoints, AnAddedFileIsNotRead) {
  struct Case {
    std::string name;
    bool would_be_read;
  };
  for (const Case& each : std::vector<Case>{{"encoder.json", true},
                                            {"vocab.bpe", true},
                                            {"tokenizer.json", true},
                                            {"tokenizer_config.json", true},
                                            {"added_tokens.json", true},
                                            {"model.safetensors.index.json", true},
                                            {"notes.txt", false},
                                            {"generation_config.json", false}}) {
    SCOPED_TRACE(each.name);
    const TempDir out;
    Training training;
    training.step();
    const std::string path = training::save_checkpoint(out.path(), 1, {1}, training.state(), training.setup),
                      added = path + "/" + each.name;
    fs::create_symlink("nowhere", added);
    for (const bool is_link : {true, false}) {
      if (!is_link) fs::remove(added);
      if (!is_link) put_file(added, "{}");
      if (each.would_be_read) {
        const std::string message = added + ": was added after this checkpoint was written";
        EXPECT_ERROR(nn::load(training.model, path), message);
        EXPECT_ERROR(training::verified_state(path), message);
        app::Options options;
        options.tokenizer = path;
        EXPECT_ERROR(app::make_tokenizer(options, ""), message);
      } else {
        EXPECT_NO_THROW(nn::load(training.model, path));
        EXPECT_NO_THROW(training::verified_state(path));
      }
    }
  }
}

}  // namespace gpt2::testing
