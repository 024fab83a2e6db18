#include "common/training/checkpoint_digests.h"

#include <filesystem>
#include <fstream>
#include <functional>

#include "common/base/file.h"
#include "tests/common/files.h"
#include "tests/common/training/tiny_training.h"

namespace gpt2::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Two checkpoints of one run, step_000001 and step_000002.
struct TwoCheckpoints {
  TempDir out;
  TwoCheckpoints() {
    Training training;
    for (const int64_t step : {1, 2}) {
      training.step();
      training::save_checkpoint(out.path(), step, {2}, training.state(), training.setup);
    }
  }
  std::string operator/(const std::string& name) const { return out / name; }
};

void flip_a_bit(const std::string& path, double where) {
  std::string bytes = file_bytes(path);
  bytes[size_t(where * double(bytes.size() - 1))] ^= 4;
  put_file(path, bytes);
}

void copy(const std::string& from, const std::string& to) {
  fs::copy_file(from, to, fs::copy_options::overwrite_existing);
}

// Changes state.json as someone who does not know the digest of the whole would.
void edit(const std::string& path, const std::function<void(json& state)>& change) {
  json state = json::parse(file_bytes(path));
  change(state);
  put_file(path, state.dump(2));
}

}  // namespace

TEST(CheckpointDigests, AWholeCheckpointIsAccepted) {
  const TwoCheckpoints run;
  EXPECT_EQ(training::verified_state(run / "step_000002").at("optimizer_steps"), 2);
  put_file(run / "step_000002/README.md", "a note beside it");
  edit(run / "step_000002/state.json", [](json&) {});  // other white space
  EXPECT_NO_THROW(training::verified_state(run / "step_000002"));
}

TEST(CheckpointDigests, AFlippedBitAnywhereIsNoticed) {
  for (const char* name :
       {"config.json", "merges.txt", "model.safetensors", "optimizer.safetensors", "vocab.json"}) {
    for (const double where : {0.0, 0.3, 0.9999, 1.0}) {
      const TwoCheckpoints run;
      const std::string path = run / "step_000002/" + name;
      flip_a_bit(path, where);
      EXPECT_ERROR(training::verified_state(run / "step_000002"),
                   path + ": not the file that this checkpoint was written with");
      EXPECT_NO_THROW(training::verified_state(run / "step_000001"));
    }
  }
}

TEST(CheckpointDigests, WhatDoesNotBelongTogetherIsNamed) {
  const std::string two = "step_000002/";
  const auto edit_state = [&](const std::function<void(json&)>& change) {
    return [change, two](const TwoCheckpoints& run) { edit(run / (two + "state.json"), change); };
  };
  struct Case {
    std::string name;
    std::function<void(const TwoCheckpoints&)> change;
    std::string checkpoint, message;
  };
  const std::string edited = "state.json: it was changed after it was written";
  const std::vector<Case> cases = {
      {"another's moments",
       [&](const TwoCheckpoints& run) {
         copy(run / "step_000001/optimizer.safetensors", run / (two + "optimizer.safetensors"));
       },
       two, "optimizer.safetensors: not the file"},
      {"another's weights",
       [&](const TwoCheckpoints& run) {
         copy(run / "step_000001/model.safetensors", run / (two + "model.safetensors"));
       },
       two, "model.safetensors: not the file"},
      {"another's state",
       [&](const TwoCheckpoints& run) { copy(run / "step_000001/state.json", run / (two + "state.json")); },
       two, "safetensors: not the file"},
      {"a file is missing", [&](const TwoCheckpoints& run) { fs::remove(run / (two + "vocab.json")); }, two,
       "vocab.json: cannot open"},
      {"a cut file",
       [&](const TwoCheckpoints& run) { fs::resize_file(run / (two + "model.safetensors"), 1000); }, two,
       "model.safetensors: not the file"},
      {"a folder renamed",
       [](const TwoCheckpoints& run) { fs::rename(run / "step_000001", run / "step_000009"); }, "step_000009",
       "state.json: step is 1, which differs from the folder's name"},
      {"no state", [&](const TwoCheckpoints& run) { fs::remove(run / (two + "state.json")); }, two,
       "state.json: cannot open"},
      {"half a state", [&](const TwoCheckpoints& run) { fs::resize_file(run / (two + "state.json"), 100); },
       two, "state.json: not valid JSON"},
      {"step", edit_state([](json& state) { state["step"] = 3; }), two, edited},
      {"optimizer_steps", edit_state([](json& state) { state["optimizer_steps"] = 3; }), two, edited},
      {"position", edit_state([](json& state) { state["position"] = 0; }), two, edited},
      {"settings", edit_state([](json& state) { state["settings"]["--seed"] = 1; }), two, edited},
      {"a file's digest", edit_state([](json& state) { state["files"].erase("model.safetensors"); }), two,
       edited},
      {"no files", edit_state([](json& state) { state.erase("files"); }), two, edited},
      {"no digest", edit_state([](json& state) { state.erase("digest"); }), two, edited},
      {"another digest", edit_state([](json& state) { state["digest"] = 7; }), two, edited},
      {"no digests, and another step",
       edit_state([](json& state) { state.erase("digest"), state.erase("files"), state["step"] = 3; }), two,
       "step is 3, but optimizer_steps 2"}};
  for (const Case& each : cases) {
    const TwoCheckpoints run;
    each.change(run);
    SCOPED_TRACE(each.name);
    EXPECT_ERROR(training::verified_state(run / each.checkpoint), each.message);
  }
}

TEST(CheckpointDigests, ACheckpointOfAnOlderProgramHasNone) {
  const TwoCheckpoints run;
  edit(run / "step_000001/state.json", [](json& state) { state.erase("digest"), state.erase("files"); });
  EXPECT_FALSE(training::has_digests(training::verified_state(run / "step_000001")));
  EXPECT_TRUE(training::has_digests(training::verified_state(run / "step_000002")));
}

}  // namespace gpt2::testing
