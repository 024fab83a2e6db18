#include "common/training/run_log.h"

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "common/base/digest.h"
#include "tests/common/files.h"

namespace gpt2::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using training::LogPaths;

const std::string kConfig = R"({"event":"config","steps":9})"
                            "\n";

std::string step_event(int64_t step) {
  return R"({"event":"step","step":)" + std::to_string(step) + R"(,"loss":5.5})" + "\n";
}

// A run in a folder whose checkpoint at step 2 knows its log; it went on to step 3.
struct LoggedRun {
  TempDir out;
  LogPaths paths{out / "log.jsonl", out / "log.txt", out / "main.log"};
  std::string checkpoint = out / "step_000002", early, event, late = step_event(2) + step_event(3);
  json extents;

  explicit LoggedRun(const std::string& pending = "") {
    app::Log log(paths.json, paths.text);
    log.event("config", {{"steps", 9}});
    for (const int64_t step : {0, 1}) log.event("step", {{"step", step}, {"loss", 5.5}});
    extents = json(log.extents());
    early = file_bytes(paths.json);
    if (!pending.empty()) extents["log.jsonl"]["pending"] = pending;
    log.checkpoint(2, checkpoint);
    event = file_bytes(paths.json).substr(early.size());
    for (const int64_t step : {2, 3}) log.event("step", {{"step", step}, {"loss", 5.5}});
  }
  void cut_text() const { put_file(paths.text, "0 train 5.500000\n1 train 5.500000\n"); }
  training::ResumedLog resumed(bool anyway = false, bool is_chosen = false) const {
    return training::log_up_to(paths, {checkpoint, 2, is_chosen, anyway}, extents);
  }
};

}  // namespace

TEST(RunLog, ARunKeepsWhatCameBeforeItsCheckpoint) {
  const LoggedRun run;
  const auto resumed = run.resumed();
  EXPECT_EQ(resumed.contents.json, run.early + run.event);
  EXPECT_EQ(resumed.contents.text, "0 train 5.500000\n1 train 5.500000\n");
  EXPECT_TRUE(resumed.replaced.empty());
  EXPECT_EQ(file_bytes(run.paths.json), run.early + run.event + run.late) << "changed";
}

TEST(RunLog, WhatFollowsTheCheckpointIsDroppedOnlyIfItIsOfTheRun) {
  const std::string done = R"({"event":"done","steps":3})"
                           "\n",
                    val = R"({"event":"val","step":2,"loss":5})"
                          "\n";
  struct Case {
    std::string tail, kept;
    bool is_replaced;
  };
  const LoggedRun run;
  run.cut_text();
  for (const Case& each :
       std::vector<Case>{{"", run.event, false},  // the event is made again
                         {run.event, run.event, false},
                         {run.event + step_event(2) + done, run.event, false},
                         {run.event + kConfig + step_event(2), run.event + kConfig, false},
                         {run.event + val, run.event + val, false},
                         {run.event + step_event(2) + "{\"eve", run.event, true},
                         {step_event(0) + step_event(1) + run.event, run.event, true},  // another run's
                         {run.event + step_event(1), run.event, true},
                         {run.event + "dear diary\n", run.event, true},
                         {run.event + std::string(9, '\0'), run.event, true},
                         {run.event + "7\n", run.event, true},
                         {run.event + "[1]\n", run.event, true},
                         {run.event + R"({"event":3})" + "\n", run.event, true},
                         {run.event + R"({"event":"note","step":2})" + "\n", run.event, true},
                         {run.event + R"({"event":"step","step":"2"})" + "\n", run.event, true},
                         {run.event + R"({"event":"step"})" + "\n", run.event, true}}) {
    SCOPED_TRACE(each.tail);
    put_file(run.paths.json, run.early + each.tail);
    const auto resumed = run.resumed();
    EXPECT_EQ(resumed.contents.json, run.early + each.kept);
    EXPECT_EQ(resumed.replaced.size(), each.is_replaced ? 1u : 0u);
  }
}

// Lines that somebody else wrote look like events; one that would be removed is kept beside the log.
TEST(RunLog, ALineThatTheRunDidNotWriteIsNeverLost) {
  const auto event = [](const std::string& name, int64_t step, const std::string& more = "") {
    return fmt::format(R"({{"event":"{}","step":{}{}}})", name, step, more) + "\n";
  };
  struct Case {
    std::string tail;
    bool is_replaced;
  };
  const LoggedRun run;
  run.cut_text();
  const std::string later = run.event + run.late;  // steps 2 and 3
  for (const Case& each :
       std::vector<Case>{{later, false},
                         {later + kConfig + later, false},  // resumed from the same checkpoint
                         {later + event("checkpoint", 4) + event("step", 4), false},
                         {later + event("checkpoint", 4) + kConfig + event("step", 4), false},
                         {later + event("step", 4, R"(,"by":"me")"), true},  // a field that is not the run's
                         {later + event("done", 4, R"(,"steps":4)"), true},
                         {later + event("step", 20000), true},  // a gap
                         {later + event("step", 3), true},
                         {later + event("hellaswag", 4, R"(,"acc_norm":0.29)"), true},  // the run has none
                         {later + event("val", 4), true},
                         {later + event("val", 9), true}}) {
    SCOPED_TRACE(each.tail);
    put_file(run.paths.json, run.early + each.tail);
    const auto resumed = run.resumed(false, /*is_chosen=*/true);
    EXPECT_EQ(resumed.replaced.size(), each.is_replaced ? 1u : 0u);
  }
}

TEST(RunLog, ALineOfTheTextRepeatsAnEvent) {
  const std::string early = "0 train 5.500000\n1 train 5.500000\n";
  for (const auto& [tail, is_replaced] :
       std::vector<std::pair<std::string, bool>>{{"2 train 5.500000\n3 train 5.500000\n", false},
                                                 {"4 train 5.500000\n", true},
                                                 {"2 val 5.5000\n", true},
                                                 {"1984 train 1.5\n", true},
                                                 {"3 tra", true}}) {
    SCOPED_TRACE(tail);
    const LoggedRun run;
    put_file(run.paths.text, early + tail);
    const auto resumed = run.resumed();
    EXPECT_EQ(resumed.contents.text, early);
    EXPECT_EQ(resumed.replaced, is_replaced ? std::vector{run.paths.text} : std::vector<std::string>{});
  }
}

TEST(RunLog, ANewerCheckpointThatIsMissingIsNamed) {
  const LoggedRun run;
  const std::string saved = R"({"event":"checkpoint","step":4,"path":"step_000004"})"
                            "\n";
  put_file(run.paths.json, run.early + run.event + run.late + saved);  // killed while it saved
  EXPECT_EQ(run.resumed().contents.json, run.early + run.event);
  put_file(run.paths.json, run.early + run.event + run.late + saved + step_event(4));
  EXPECT_ERROR(run.resumed(), run.paths.json + " says that step 4 was saved, but the newest checkpoint is " +
                                  run.checkpoint);
  EXPECT_EQ(run.resumed(false, /*is_chosen=*/true).contents.json, run.early + run.event);
}

TEST(RunLog, ALogThatIsNotTheRunsIsRefusedAndNeverLost) {
  struct Case {
    std::string name;
    std::function<void(const LoggedRun&)> change;
    std::string file, message;
    size_t replaced = 1;
  };
  for (const Case& each : std::vector<Case>{
           {"missing", [](const LoggedRun& run) { fs::remove(run.paths.json); }, "log.jsonl", "it is missing",
            0},
           {"empty", [](const LoggedRun& run) { put_file(run.paths.json, ""); }, "log.jsonl", "it was cut",
            0},
           {"cut", [](const LoggedRun& run) { put_file(run.paths.json, run.early.substr(0, 40)); },
            "log.jsonl", "it was cut"},
           {"another", [](const LoggedRun& run) { put_file(run.paths.json, std::string(5000, 'a')); },
            "log.jsonl", "it was changed, or it is another file"},
           {"edited", [](const LoggedRun& run) { put_file(run.paths.json, "#" + run.early + run.event); },
            "log.jsonl", "it was changed"},
           {"no text", [](const LoggedRun& run) { fs::remove(run.paths.text); }, "log.txt", "it is missing",
            0},
           {"a thesis",
            [](const LoggedRun& run) { put_file(run.paths.text, "Chapter 1: a model of language\n"); },
            "log.txt", "it was cut, or it is another file"},
           {"a longer thesis", [](const LoggedRun& run) { put_file(run.paths.text, std::string(5000, 'a')); },
            "log.txt", "it was changed"}}) {
    SCOPED_TRACE(each.name);
    const LoggedRun run;
    run.cut_text();
    each.change(run);
    EXPECT_ERROR(run.resumed(), fs::exists(run.out / each.file) ? "goes on with the events in it as they are"
                                                                : "begins a new log");
    EXPECT_ERROR(run.resumed(), "--resume: " + (run.out / each.file) +
                                    " is not the log of this run up to step_000002: " + each.message);
    const auto anyway = run.resumed(/*anyway=*/true);
    EXPECT_EQ(anyway.replaced.size(), each.replaced);
    if (each.replaced == 1) {
      EXPECT_EQ(anyway.replaced[0], run.out / each.file);
    }
    EXPECT_TRUE(anyway.contents.json.ends_with(run.event)) << anyway.contents.json;
  }
  LoggedRun old;
  old.extents = json();  // of a program before logs were compared
  EXPECT_ERROR(old.resumed(), "the checkpoint does not say how far its log went");
  EXPECT_EQ(old.resumed(true).contents.json, old.early + old.event);
  fs::remove(old.paths.json);
  fs::create_directory(old.paths.json);
  EXPECT_ERROR(old.resumed(), "not a regular file");
}

// The disk was full: the checkpoint has the lines that the log does not have, or got later.
TEST(RunLog, LinesThatWaitedAreWrittenOnce) {
  const std::string pending = R"({"event":"val","step":2,"loss":5})"
                              "\n";
  for (const bool came_later : {false, true}) {
    const LoggedRun run(pending);
    run.cut_text();
    put_file(run.paths.json, run.early + (came_later ? pending + run.event : ""));
    EXPECT_EQ(run.resumed().contents.json, run.early + pending + run.event);
    EXPECT_TRUE(run.resumed().replaced.empty());
  }
}

TEST(RunLog, WithoutACheckpointOnlyARunThatNeverSavedOneBeginsAgain) {
  struct Case {
    std::string name;
    std::vector<std::pair<std::string, std::string>> files;  // name, contents
    std::string message;                                     // empty: it begins again
    size_t replaced = 0;
  };
  const std::string saved = R"({"event":"checkpoint","step":4,"path":"step_000004"})"
                            "\n",
                    steps = kConfig + step_event(0) + step_event(1);
  for (const Case& each : std::vector<Case>{
           {"empty", {}, ""},
           {"killed at the start", {{"log.jsonl", ""}}, ""},
           {"killed before step 0", {{"log.jsonl", kConfig}, {"log.txt", ""}}, "", 1},
           {"killed later", {{"log.jsonl", steps}, {"log.txt", "0 train 5.5\n"}}, "", 2},
           {"killed in a line", {{"log.jsonl", steps + "{\"ev"}, {"log.txt", "0 train 5.5\n1 tr"}}, "", 2},
           {"killed while it saved", {{"log.jsonl", steps + saved}, {"log.txt", ""}}, "", 1},
           {"with a note", {{"log.jsonl", kConfig}, {"log.txt", ""}, {"notes.txt", "mine"}}, "", 1},
           {"its checkpoints are gone",
            {{"log.jsonl", steps + saved + step_event(4)}, {"log.txt", ""}},
            " has no checkpoint, but its log says that step 4 was saved"},
           {"renamed",
            {{"log.jsonl", kConfig}, {"step_000004.unused", ""}},
            " has no checkpoint, but step_000004.unused; rename it"},
           {"foreign", {{"notes.txt", "mine"}}, "log.jsonl is missing"},
           {"a foreign log.txt", {{"log.txt", "Captain's log\n"}}, "log.jsonl is missing"},
           {"two foreign logs",
            {{"log.jsonl", kConfig}, {"log.txt", "Captain's log\n"}},
            "log.txt is not the log of one"},
           {"a foreign log.jsonl",
            {{"log.jsonl", "{\"name\": 1}\n"}, {"log.txt", ""}},
            "log.jsonl is not the log of one"},
           {"numbers", {{"log.jsonl", "1\n2\n"}, {"log.txt", ""}}, "log.jsonl is not the log of one"}}) {
    SCOPED_TRACE(each.name);
    const TempDir out;
    for (const auto& [name, contents] : each.files) put_file(out / name, contents);
    const LogPaths paths{out / "log.jsonl", out / "log.txt", out / "main.log"};
    if (each.message.empty()) {
      EXPECT_EQ(training::log_from_start(paths, out.path()).replaced.size(), each.replaced);
    } else {
      EXPECT_ERROR(training::log_from_start(paths, out.path()), each.message);
    }
    for (const auto& [name, contents] : each.files) EXPECT_EQ(file_bytes(out / name), contents);
  }
}

// main.log is made from the log, whatever became of it; an old one that is not its beginning or its continuation is kept.
TEST(RunLog, MainLogIsMadeFromTheLog) {
  const std::string before = R"({"event":"val","step":0,"loss":6})"
                             "\n",
                    lines = "s:0 tel:6.0000\n";
  struct Case {
    std::string main_log;
    bool is_kept;
  };
  for (const Case& each : std::vector<Case>{{"", false},  // missing, as in a run of an older program
                                            {lines, false},
                                            {lines + "s:2 trl:5.5000 lr:0.000600 norm:1.00\n", false},
                                            {"s:0 te", false},  // a power cut
                                            {"s:0 tel:5.0000\n", true},
                                            {"Captain's log\n", true}}) {
    SCOPED_TRACE(each.main_log);
    LoggedRun run;
    run.cut_text();
    run.paths.llmc = run.out / "main.log";
    if (!each.main_log.empty()) put_file(run.paths.llmc, each.main_log);
    put_file(run.paths.json, before + run.early + run.event + run.late);
    run.extents["log.jsonl"] = {{"bytes", before.size() + run.early.size()},
                                {"digest", to_hex(digest_of(before + run.early))}};
    const auto resumed = run.resumed();
    EXPECT_EQ(resumed.contents.llmc, lines);
    EXPECT_EQ(resumed.replaced, each.is_kept ? std::vector{run.paths.llmc} : std::vector<std::string>());
  }
}

TEST(RunLog, MainLogOfARunThatStartsAgainIsKept) {
  const TempDir out;
  put_file(out / "log.jsonl", kConfig);
  put_file(out / "log.txt", "");
  put_file(out / "main.log", "s:0 tel:6.0000\n");
  const auto log =
      training::log_from_start({out / "log.jsonl", out / "log.txt", out / "main.log"}, out.path());
  EXPECT_EQ(log.replaced, (std::vector<std::string>{out / "log.jsonl", out / "main.log"}));
  EXPECT_EQ(log.contents.llmc, "");
}

// A new folder, but --log names a file that someone filled.
TEST(RunLog, ALogElsewhereIsKept) {
  const TempDir folder;
  fs::create_directory(folder / "out");
  put_file(folder / "thesis.txt", "Chapter 1\n");
  const auto log = training::log_from_start(
      {folder / "thesis.txt", folder / "out/log.txt", folder / "out/main.log"}, folder / "out");
  EXPECT_EQ(log.replaced, (std::vector<std::string>{folder / "thesis.txt"}));
}

}  // namespace gpt2::testing
