#include "common/training/checkpoint.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <utility>

#include "common/data/safetensors.h"
#include "common/nn/layers.h"
#include "common/nn/pretrained.h"
#include "common/text/tokenizer.h"
#include "common/training/checkpoint_digests.h"
#include "tests/common/files.h"
#include "tests/common/testing.h"
#include "tests/common/training/tiny_training.h"

namespace gpt2::testing {
namespace {

namespace fs = std::filesystem;

// A tokenizer that cannot be stored.
struct Unstorable final : Tokenizer {
  std::vector<int32_t> encode(std::string_view) const override { return {}; }
  std::string decode(std::span<const int32_t>) const override { return ""; }
  int64_t vocab_size() const override { return 257; }
  std::optional<int32_t> end_of_text() const override { return std::nullopt; }
  std::vector<File> files() const override { return {{"vocab.json", "{}"}, {"none/merges.txt", ""}}; }
};

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST(Checkpoint, ARunGoesOnAsIfNeverStoppedToTheBit) {
  const TempDir out;
  Training never_stopped, resumed;
  for (int i = 0; i < 15; ++i) never_stopped.step();  // into the second epoch
  const std::string path =
      training::save_checkpoint(out.path(), 15, {2}, never_stopped.state(), never_stopped.setup);
  EXPECT_EQ(training::load_checkpoint(training::open_checkpoint(path), resumed.state()), 15);
  for (int i = 0; i < 15; ++i) EXPECT_EQ(resumed.step(), never_stopped.step()) << i;
}

// Another program replaces files, or writes into them, after they were compared with their digests.
TEST(Checkpoint, WhatWasComparedIsWhatIsLoaded) {
  for (const std::string name : {"model.safetensors", "optimizer.safetensors"}) {
    SCOPED_TRACE(name);
    const TempDir out;
    Training run, resumed;
    std::vector<std::string> paths;
    for (const int64_t step : {1, 2}) {
      run.step();
      paths.push_back(training::save_checkpoint(out.path(), step, {2}, run.state(), run.setup));
    }
    const std::string file = paths[1] + "/" + name, other = file_bytes(paths[0] + "/" + name);
    const auto replaced = training::open_checkpoint(paths[1]);
    const std::string whole = file_bytes(file);
    put_file(out / "other", other);
    fs::rename(out / "other", file);
    EXPECT_EQ(training::load_checkpoint(replaced, resumed.state()), 2);
    EXPECT_EQ(resumed.step(), run.step());
    EXPECT_EQ(resumed.step(), run.step());
    EXPECT_ERROR(training::open_checkpoint(paths[1]),
                 file + ": not the file that this checkpoint was written with");
    put_file(file, whole);
    const auto changed = training::open_checkpoint(paths[1]);
    put_file(file, other);
    fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(1));  // its clock is coarse
    EXPECT_ERROR(training::load_checkpoint(changed, resumed.state()),
                 file + ": another program wrote to it while it was read");
    put_file(file, whole);
    const auto cut = training::open_checkpoint(paths[1]);
    fs::resize_file(file, 5000);
    EXPECT_ERROR(training::load_checkpoint(cut, resumed.state()),
                 file + ": ends at byte 5000, while it is read");
  }
}

TEST(Checkpoint, MomentsThatAreNotFiniteAreNamed) {
  for (const std::string name : {"first_moment", "second_moment"}) {
    const TempDir out;
    Training run;
    run.step();
    const Tensor moment =
        name == "first_moment" ? run.optimizer->first_moment() : run.optimizer->second_moment();
    const std::string path = training::save_checkpoint(out.path(), 1, {}, run.state(), run.setup);
    const std::vector<float> good = moment.to_vector<float>();  // as a program might that did not look
    std::vector<float> bad = good;
    bad[5] = NAN;
    const auto entry = [&](const std::string& moment_name) {
      const auto& values = moment_name == name ? bad : good;
      return SafetensorsEntry{moment_name, "F32", moment.shape(), std::as_bytes(std::span(values)), ""};
    };
    const std::vector<SafetensorsEntry> entries = {entry("first_moment"), entry("second_moment")};
    nlohmann::json state = training::read_state(path);
    training::add_digests(
        state, {{"optimizer.safetensors", write_safetensors(path + "/optimizer.safetensors", entries)}});
    put_file(path + "/state.json", state.dump());
    EXPECT_ERROR(training::load_checkpoint(training::open_checkpoint(path), run.state()),
                 path + "/optimizer.safetensors: tensor " + name + ": value 5 is nan");
  }
}

TEST(Checkpoint, HoldsWhatTransformersAndTheTokenizerOpen) {
  const TempDir out;
  Training training;
  const std::string path = training::save_checkpoint(out.path(), 7, {1}, training.state(), training.setup);
  EXPECT_EQ(path, out / "step_000007");
  EXPECT_EQ(names_in(path), (std::vector<std::string>{"config.json", "merges.txt", "model.safetensors",
                                                      "optimizer.safetensors", "state.json", "vocab.json"}));
  const std::string text = "Once upon a time\n\xff";
  EXPECT_EQ(make_tokenizer(path, "")->encode(text), make_tokenizer("byte", "")->encode(text));
  EXPECT_EQ(make_tokenizer(path, "")->vocab_size(), 257);
}

TEST(Checkpoint, HoldsTheCharactersOfTheTrainingText) {
  const TempDir out;
  Training training;
  const auto characters = make_tokenizer("char", "To be\n");
  const training::CheckpointSetup setup{training.setup.config, *characters, training.setup.settings};
  const std::string path = training::save_checkpoint(out.path(), 1, {1}, training.state(), setup);
  EXPECT_FALSE(fs::exists(path + "/merges.txt"));
  EXPECT_EQ(make_tokenizer(path, "")->encode("bee\n"), characters->encode("bee\n"));
}

TEST(Checkpoint, TheNewestAreKept) {
  const TempDir out;
  Training training;
  for (const int64_t step : {9, 10, 999999, 1000000}) {
    training::save_checkpoint(out.path(), step, {2}, training.state(), training.setup);
  }
  EXPECT_EQ(training::checkpoints_in(out.path()),
            (std::vector<std::string>{out / "step_999999", out / "step_1000000"}));
  EXPECT_EQ(out.names().size(), 2u);
}

TEST(Checkpoint, AnErrorLeavesTheCheckpointsThatThereWere) {
  const TempDir out;
  Training training;
  training::save_checkpoint(out.path(), 1, {1}, training.state(), training.setup);
  const Unstorable tokenizer;
  const training::CheckpointSetup bad{training.setup.config, tokenizer, training.setup.settings};
  EXPECT_ERROR(training::save_checkpoint(out.path(), 2, {1}, training.state(), bad), "none/merges.txt");
  EXPECT_EQ(training::checkpoints_in(out.path()), (std::vector<std::string>{out / "step_000001"}));
  EXPECT_EQ(names_in(out.path()), (std::vector<std::string>{"step_000001"}));
}

TEST(Checkpoint, NothingIsSavedUnlessAllIsFinite) {
  for (const float bad : {NAN, INFINITY}) {
    for (const std::string what :
         {"transformer.ln_f.bias", "AdamW's first moment", "AdamW's second moment"}) {
      const TempDir out;
      Training training;
      training.step();
      training::save_checkpoint(out.path(), 1, {1}, training.state(), training.setup);
      const auto parameters = training.model.named_parameters();
      const auto named =
          std::find_if(parameters.begin(), parameters.end(),
                       [&](const nn::NamedParameter& parameter) { return parameter.name == what; });
      const Tensor& values = named != parameters.end()        ? *named->tensor
                             : what.ends_with("first moment") ? training.optimizer->first_moment()
                                                              : training.optimizer->second_moment();
      values.data<float>()[5] = bad;
      EXPECT_ERROR(training::save_checkpoint(out.path(), 2, {1}, training.state(), training.setup),
                   what + ": value 5 is ");
      EXPECT_EQ(names_in(out.path()), (std::vector<std::string>{"step_000001"}));
    }
  }
}

TEST(Checkpoint, RotationLeavesWhatItHasJustWritten) {
  const TempDir out;
  Training training;
  for (const int64_t step : {50, 60, 10, 20, 30}) {  // 50 and 60: of a course that was left
    training::save_checkpoint(out.path(), step, {2}, training.state(), training.setup);
  }
  EXPECT_EQ(names_in(out.path()),
            (std::vector<std::string>{"step_000020", "step_000030", "step_000050", "step_000060"}));
  EXPECT_EQ(training::set_aside_after(out.path(), 30).size(), 2u);
  training::save_checkpoint(out.path(), 50, {1}, training.state(), training.setup);
  training::set_aside_after(out.path(), 30);
  EXPECT_EQ(names_in(out.path()),
            (std::vector<std::string>{"step_000050.unused", "step_000050.unused2", "step_000060.unused"}));
}

// With --keep 1, or by a program that was killed while it removed.
TEST(Checkpoint, OnlyItsOwnFilesAreRemoved) {
  for (const bool was_killed : {false, true}) {
    const TempDir folder;
    const std::string out = folder / "out", path = out + "/step_000001";
    fs::create_directory(out);
    Training training;
    training::save_checkpoint(out, 1, {1}, training.state(), training.setup);
    put_file(folder / "mine", "outside");
    put_file(path + "/notes.txt", "mine");
    nlohmann::json state = nlohmann::json::parse(file_bytes(path + "/state.json"));
    state["files"]["../../mine"] = "";
    training::add_digests(state, {});
    put_file(path + "/state.json", state.dump());
    if (was_killed) {
      fs::rename(path, out + "/.step_000001.old");
      fs::remove(out + "/.step_000001.old/config.json");
      training::remove_half_written(out);
    } else {
      training::save_checkpoint(out, 2, {1}, training.state(), training.setup);
    }
    EXPECT_EQ(names_in(path + ".unused"), (std::vector<std::string>{"notes.txt"}));
    EXPECT_EQ(file_bytes(folder / "mine"), "outside");
    EXPECT_EQ(std::ssize(names_in(out)), was_killed ? 1 : 2);
  }
}

// What somebody wrote into a checkpoint outlives its rotation; a new date alone is no change.
TEST(Checkpoint, AnEditedOneIsNotRemoved) {
  struct Case {
    std::string name, text;  // empty: unchanged
  };
  for (const Case& each :
       std::vector<Case>{{"config.json", "{}"}, {"model.safetensors", "mine"}, {"state.json", ""}}) {
    SCOPED_TRACE(each.name);
    for (const bool is_changed : {true, false}) {
      const TempDir out;
      Training training;
      const std::string path =
                            training::save_checkpoint(out.path(), 1, {1}, training.state(), training.setup),
                        file = path + "/" + each.name;
      nlohmann::json state = nlohmann::json::parse(file_bytes(path + "/state.json"));
      state["note"] = "mine";
      const std::string changed = each.text.empty() ? state.dump() : each.text;
      if (is_changed) put_file(file, changed);
      fs::last_write_time(file, fs::last_write_time(file) + std::chrono::seconds(9));
      training::save_checkpoint(out.path(), 2, {1}, training.state(), training.setup);
      const std::vector<std::string> kept = {"step_000001.unused", "step_000002"};
      EXPECT_EQ(names_in(out.path()), is_changed ? kept : std::vector<std::string>{"step_000002"});
      if (is_changed) {
        EXPECT_EQ(file_bytes(path + ".unused/" + each.name), changed);
      }
    }
  }
}

// A name that a killed run may have left is no proof: only a folder with a checkpoint's files is removed.
TEST(Checkpoint, WhatIsNotHalfWrittenIsSetAside) {
  struct Case {
    std::vector<std::string> files;  // in the folder; none: a file has its name
    bool is_removed;
  };
  for (const Case& each : std::vector<Case>{{{"model.safetensors.tmp.123", "config.json"}, true},
                                            {{"state.json"}, true},
                                            {{"notes.txt", "config.json"}, false},
                                            {{"folder/config.json"}, false},
                                            {{}, false}}) {
    for (const std::string ending : {".tmp", ".old"}) {
      for (const bool is_saved : {false, true}) {
        const TempDir out;
        const std::string path = out / ".step_000003" + ending;
        if (each.files.empty()) put_file(path, "mine");
        for (const std::string& name : each.files) {
          fs::create_directories(fs::path(path + "/" + name).parent_path());
          put_file(path + "/" + name, "mine");
        }
        Training training;
        if (is_saved && ending == ".tmp") {
          training::save_checkpoint(out.path(), 3, {1}, training.state(), training.setup);
        } else {
          training::remove_half_written(out.path());
        }
        int64_t kept = 0;
        for (const auto& entry : fs::recursive_directory_iterator(out.path()))
          kept += entry.is_regular_file() && file_bytes(entry.path()) == "mine";
        const int64_t mine = std::max<int64_t>(std::ssize(each.files), 1);
        EXPECT_EQ(kept, each.is_removed && ending == ".tmp" ? 0 : mine);
      }
    }
  }
}

TEST(Checkpoint, OfALinkOnlyTheLinkIsRemoved) {
  const TempDir folder;
  const std::string elsewhere = folder / "elsewhere", out = folder / "out";
  for (const std::string& path : {elsewhere, out}) fs::create_directory(path);
  Training training;
  training::save_checkpoint(elsewhere, 1, {1}, training.state(), training.setup);
  fs::create_symlink("../elsewhere/step_000001", out + "/step_000001");
  training::save_checkpoint(out, 2, {1}, training.state(), training.setup);
  EXPECT_EQ(names_in(out), (std::vector<std::string>{"step_000002"}));
  EXPECT_TRUE(fs::exists(elsewhere + "/step_000001/model.safetensors"));
}

TEST(Checkpoint, TheLogIsOnTheDiskBeforeItAppears) {
  const TempDir out;
  Training training;
  bool called = false;
  const auto look = [&](const std::string& path) {
    called = true;
    EXPECT_EQ(path, out / "step_000001");
    EXPECT_FALSE(fs::exists(path));
    EXPECT_TRUE(fs::exists(out / ".step_000001.tmp/state.json"));
  };
  training::save_checkpoint(out.path(), 1, {1}, training.state(), training.setup, look);
  EXPECT_TRUE(called);
  const auto refuse = [](const std::string&) { fail("no room for the log"); };
  EXPECT_ERROR(training::save_checkpoint(out.path(), 2, {1}, training.state(), training.setup, refuse),
               "no room");
  EXPECT_EQ(names_in(out.path()), (std::vector<std::string>{"step_000001"}));
}

TEST(Checkpoint, OutIsEmptyOrResumed) {
  const TempDir folder;
  const std::string out = folder / "a/b";
  training::make_out(out, false);
  EXPECT_TRUE(fs::is_directory(out));
  EXPECT_TRUE(training::checkpoints_in(out).empty());
  fs::create_directory(out + "/.step_000003.tmp");  // of a run that was killed
  EXPECT_ERROR(training::make_out(out, false), "not empty; --resume continues");
  training::make_out(out, true);
  training::remove_half_written(out);
  EXPECT_TRUE(fs::is_empty(out));
  EXPECT_ERROR(training::make_out("/dev/full", false), "--out /dev/full: ");
}

TEST(Checkpoint, OnlyStepsAreCheckpoints) {
  const TempDir out;
  for (const char* name :
       {"step_000002", "step_1000000", "step_best", "step_7", "step_000002.bak", "step_"}) {
    fs::create_directory(out / name);
  }
  put_file(out / "step_000009", "a file");
  EXPECT_EQ(training::checkpoints_in(out.path()),
            (std::vector<std::string>{out / "step_000002", out / "step_1000000"}));
}

TEST(Checkpoint, RoomIsAskedForBeforehand) {
  const TempDir out;
  EXPECT_NO_THROW(training::require_room(out.path(), 3, 1000));
  EXPECT_ERROR(training::require_room(out.path(), 3, int64_t{1} << 50), "make room or lower --keep");
}

}  // namespace gpt2::testing
