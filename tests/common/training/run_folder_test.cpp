#include "common/training/run_folder.h"

#include <filesystem>
#include <functional>

#include "tests/common/files.h"
#include "tests/common/training/tiny_training.h"

namespace gpt2::testing {
namespace {

namespace fs = std::filesystem;
using training::RunFolder;
using training::RunOptions;

// A run of three steps in --out, saved every step.
struct TinyRun {
  TempDir parent;
  std::string out = parent / "out";
  dist::ProcessGroup group{kCpu, {}};
  Training training;

  RunOptions options(bool resume = false) const {
    RunOptions run;
    run.out = out;
    run.checkpoint_every = 1;
    run.resume = resume;
    return run;
  }
  // Trains; `before_save` may disturb it before the checkpoint of that step.
  void train(int64_t steps, const std::function<void(int64_t step)>& before_save = {}, bool resume = false) {
    RunFolder folder(options(resume), steps, group);
    training.setup.settings["--steps"] = steps;
    folder.resume(training.state(), training.setup);
    app::Log log = folder.open_log("");
    for (int64_t step = folder.resumed().value_or(0);; ++step) {
      if (before_save) before_save(step);
      if (folder.save_if_due(step, step == steps, log)) break;
      log.event("step", {{"step", step}, {"loss", training.step()}});
    }
  }
};

}  // namespace

TEST(RunFolder, WhatIsInTheWayOfACheckpointIsSetAside) {
  const std::vector<std::pair<std::string, std::function<void(const std::string&)>>> obstacles = {
      {"a file", [](const std::string& path) { put_file(path, "mine"); }},
      {"a folder", [](const std::string& path) { fs::create_directories(path + "/mine"); }},
      {"a dangling link", [](const std::string& path) { fs::create_symlink("none", path); }}};
  for (const auto& [name, obstacle] : obstacles) {
    for (const bool before_resume : {false, true}) {
      SCOPED_TRACE(name);
      TinyRun run;
      const std::string path = run.out + "/step_000003";
      const auto put = [&, put = obstacle](int64_t step) {
        if (step == 2) put(path);
      };
      if (before_resume) {
        run.train(2);
        // A folder would be the newest checkpoint, and a damaged one.
        if (name == "a folder") continue;
        obstacle(path);
      }
      run.train(3, before_resume ? std::function<void(int64_t)>() : put, before_resume);
      EXPECT_TRUE(fs::exists(path + "/state.json"));
      EXPECT_NE(fs::symlink_status(path + ".unused").type(), fs::file_type::not_found);
    }
  }
}

// The lines of llm.c's logger.h: of the whole run, also after a resume, and without those of steps that were lost.
TEST(RunFolder, MainLogIsThatOfTheRunThatWasNeverStopped) {
  TinyRun whole, resumed;
  const std::vector<std::string> names = {"/log.jsonl", "/log.txt", "/main.log"};
  const auto train = [](TinyRun& run, int64_t steps, bool resume) {
    RunFolder folder(run.options(resume), steps, run.group);
    run.training.setup.settings["--steps"] = 3;
    folder.resume(run.training.state(), run.training.setup);
    app::Log log = folder.open_log("");
    for (int64_t step = folder.resumed().value_or(0);; ++step) {
      if (step != folder.resumed()) log.val(step, 5);
      if (folder.save_if_due(step, step == steps, log)) break;
      run.training.step();
      log.step({.step = step, .loss = 5 + double(step), .lr = 6e-4, .norm = 1.239, .ms = 1, .tokens = 1});
    }
  };
  train(whole, 3, false);
  const std::string main_log = file_bytes(whole.out + "/main.log");
  EXPECT_EQ(main_log.find("s:0 tel:5.0000\ns:0 trl:5.0000 lr:0.000600 norm:1.24\ns:1 tel:"), 0u) << main_log;
  train(resumed, 2, false);
  put_file(resumed.out + "/main.log",
           file_bytes(resumed.out + "/main.log") + "s:2 trl:9.0000 lr:0.1 norm:1\n");
  train(resumed, 3, true);
  EXPECT_EQ(file_bytes(resumed.out + "/main.log"), main_log);
  EXPECT_FALSE(fs::exists(resumed.out + "/main.log.unused"));
}

TEST(RunFolder, AFailedSaveSaysTheStepAndWhatIsLeft) {
  struct Case {
    std::string name;
    std::function<void(TinyRun&)> disturb;
    std::string message;
  };
  for (const Case& each : std::vector<Case>{
           {"not finite", [](TinyRun& run) { run.training.optimizer->first_moment().data<float>()[5] = NAN; },
            "AdamW's first moment: value 5 is nan; step 2 is not saved; --resume-from step_000001 goes on"},
           {"moved", [](TinyRun& run) { fs::rename(run.out, run.parent / "moved"); },
            "moved, deleted or replaced during the run; put it back; step 2 is not saved"},
           {"replaced",
            [](TinyRun& run) {
              fs::rename(run.out, run.parent / "moved");
              fs::create_directory(run.out);
            },
            "moved, deleted or replaced during the run; put it back; step 2 is not saved"}}) {
    SCOPED_TRACE(each.name);
    TinyRun run;
    EXPECT_ERROR(run.train(3,
                           [&](int64_t step) {
                             if (step == 2) each.disturb(run);
                           }),
                 each.message);
  }
  TinyRun run;
  run.training.optimizer->first_moment().data<float>()[5] = NAN;
  EXPECT_ERROR(run.train(1), "step 1 is not saved, and there is no checkpoint yet");
}

TEST(RunFolder, AFolderThatStaysEmptyIsRemoved) {
  TinyRun run;
  RunOptions options = run.options();
  options.out = run.parent / "a/b/";
  { const RunFolder folder(options, 3, run.group); }
  EXPECT_TRUE(run.parent.names().empty());
  fs::create_directory(run.parent / "a");
  { const RunFolder folder(options, 3, run.group); }
  EXPECT_EQ(run.parent.names(), (std::vector<std::string>{"a"})) << "it was there before";
  options.resume_from = "step_000001";
  EXPECT_ERROR(RunFolder(options, 3, run.group), "there is no folder");
  EXPECT_TRUE(fs::is_empty(run.parent / "a"));
}

TEST(RunFolder, ResumeFromTakesANameOrItsPath) {
  TinyRun run;
  run.train(3);
  fs::create_directory(run.parent / "step_000002");
  RunOptions options = run.options(true);
  for (const std::string& same :
       {std::string("step_000002"), std::string("step_000002/"), run.out + "/step_000002",
        run.out + "/step_000002/",
        run.parent / "../" + run.parent.path().substr(run.parent.path().rfind('/') + 1) +
            "/out/step_000002"}) {
    options.resume_from = same;
    EXPECT_EQ(RunFolder(options, 3, run.group).resumed(), 2) << same;
  }
  for (const std::string& other : {run.parent / "step_000002", run.out + "/../step_000002", std::string("/"),
                                   std::string("elsewhere/step_000002"), std::string("step_000009")}) {
    options.resume_from = other;
    EXPECT_ERROR(RunFolder(options, 3, run.group),
                 "--resume-from " + other + ": no such checkpoint in " + run.out);
  }
}

TEST(RunFolder, ALogIsNoOtherFileOfARun) {
  TinyRun run, other;
  other.train(1);
  RunFolder folder(run.options(), 1, run.group);
  folder.resume(run.training.state(), run.training.setup);
  const std::string itself = ": the run writes a file of this name itself";
  for (const auto& [path, message] : std::vector<std::pair<std::string, std::string>>{
           {run.out + "/log.txt", itself},
           {run.out + "/../out/log.txt", itself},
           {run.out + "/step_000001", itself},
           {other.out + "/log.jsonl", ": a file of the run in " + other.out}}) {
    const std::string before = fs::is_regular_file(path) ? file_bytes(path) : "";
    EXPECT_ERROR(folder.open_log(path), "--log " + path + message);
    EXPECT_EQ(fs::is_regular_file(path) ? file_bytes(path) : "", before);
  }
}

TEST(RunFolder, ACheckpointBeyondTheStepsIsNamed) {
  for (const std::string step : {"step_000003", "step_9223372036854775807"}) {
    TinyRun run;
    run.train(2);
    fs::create_directory(run.out + "/" + step);
    EXPECT_ERROR(RunFolder(run.options(true), 2, run.group),
                 "--steps 2: checkpoint " + step + " in " + run.out);
  }
}

TEST(RunFolder, FlagsWithoutAFolderAreNamed) {
  TinyRun run;
  const std::vector<std::pair<std::string, std::function<void(RunOptions&)>>> cases = {
      {"--resume", [](RunOptions& options) { options.resume = true; }},
      {"--resume", [](RunOptions& options) { options.resume_from = "step_000001"; }},
      {"--checkpoint-every", [](RunOptions& options) { options.checkpoint_every = 5; }},
      {"--keep-every", [](RunOptions& options) { options.keep_every = 5; }},
      {"--keep", [](RunOptions& options) { options.keep = 5; }}};
  for (const auto& [flag, change] : cases) {
    RunOptions options;
    change(options);
    EXPECT_ERROR(RunFolder(options, 3, run.group), flag + ": give the run's folder with --out");
  }
}

}  // namespace gpt2::testing
