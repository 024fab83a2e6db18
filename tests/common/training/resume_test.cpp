#include "common/training/resume.h"

#include "tests/common/files.h"

namespace gpt2::testing {
namespace {

using nlohmann::json;
using training::RunSettings;

const std::string kCheckpoint = "runs/a/step_000020";

RunSettings settings() {
  return {{"--batch", 8},      {"--data", {"a.bin, 9 tokens, digest 1", "b.bin, 9 tokens, digest 2"}},
          {"--max-lr", 6e-4},  {"--min-lr", 6e-4 / 10},
          {"--out", "runs/a"}, {"--overfit", ""},
          {"--steps", 100},    {"--warmup", 10},
          {"threads", 2},      {"ranks", 2}};
}

// The message with which a run with one other setting is refused; empty if it may go on.
std::string refusal_of(const std::string& name, const json& value) {
  RunSettings now = settings();
  now[name] = value;
  const auto different = training::differences(json(settings()), now);
  return different.empty() ? "" : training::refusal(kCheckpoint, different);
}

}  // namespace

TEST(Resume, WhatIsTheSameIsNotRefused) {
  EXPECT_EQ(refusal_of("--batch", 8), "");
  EXPECT_EQ(refusal_of("--batch", 8.0), "");
  EXPECT_EQ(refusal_of("--min-lr", 6e-5), "");  // 6e-4 / 10 is another double
  for (const char* name : {"--out", "--log", "--val-every", "--keep", "--resume-anyway", "--preset"}) {
    EXPECT_EQ(refusal_of(name, "other"), "") << name;
  }
  EXPECT_EQ(refusal_of("--steps", 200), "");  // change_of_schedule() decides
}

TEST(Resume, ARunThatDoesNotMeasureRemembersOnWhatItWasMeasured) {
  for (const std::string name : {"--val-data", "--hellaswag"}) {
    RunSettings measured = settings(), silent = settings(), other = settings();
    measured[name] = "a.txt, digest 1";
    other[name] = "b.txt, digest 2";
    training::keep_measured(json(measured), silent);
    EXPECT_EQ(silent[name], measured[name]);
    training::keep_measured(json(silent), other);
    EXPECT_EQ(other[name], "b.txt, digest 2");
    EXPECT_EQ(training::differences(json(silent), other).size(), 1u) << name;
  }
  RunSettings held_out = settings(), silent = settings();
  held_out["--val-data"] = training::kLastTenth;  // decides what is trained on
  training::keep_measured(json(held_out), silent);
  EXPECT_FALSE(silent.contains("--val-data"));
}

TEST(Resume, ARefusalNamesTheFlagTheRunAndTheCheckpoint) {
  const std::string end = "; give the same, or accept the difference with --resume-anyway";
  const auto expected = [&](const std::string& before, const std::string& now) {
    return "--resume: the run in runs/a used " + before + " (checkpoint step_000020); got " + now + end;
  };
  EXPECT_EQ(refusal_of("--batch", 4), expected("--batch 8", "--batch 4"));
  EXPECT_EQ(refusal_of("--max-lr", 1e-3), expected("--max-lr 0.0006", "--max-lr 0.001"));
  EXPECT_EQ(refusal_of("--min-lr", 6.000001e-5),
            expected("--min-lr 5.9999999999999995e-05", "--min-lr 6.000001e-05"));
  EXPECT_EQ(refusal_of("--overfit", "true"), expected("no --overfit", "--overfit"));
  EXPECT_EQ(refusal_of("--dtype", "bf16"), expected("no --dtype", "--dtype bf16"));
  EXPECT_EQ(refusal_of("threads", 1), expected("2 threads (OMP_NUM_THREADS)", "1 thread (OMP_NUM_THREADS)"));
  EXPECT_EQ(refusal_of("ranks", 1), expected("2 ranks", "1 rank"));
  EXPECT_EQ(refusal_of("--data", {"a.bin, 9 tokens, digest 1", "c.bin, 9 tokens, digest 3"}),
            expected("--data b.bin, 9 tokens, digest 2", "--data c.bin, 9 tokens, digest 3"));
  EXPECT_EQ(refusal_of("--data", json::array({"a.bin, 9 tokens, digest 1"})),
            expected("--data of 2 files", "--data of 1 files"));
  RunSettings fewer = settings();
  fewer.erase("--batch");
  EXPECT_EQ(training::refusal(kCheckpoint, training::differences(json(settings()), fewer)),
            expected("--batch 8", "no --batch"));
}

// A run may begin to measure, but other data are not taken for the same.
TEST(Resume, TheDataOfAnEvaluationAreCompared) {
  const json a = {"a.bin, 9 tokens, digest 1"}, b = {"a.bin, 9 tokens, digest 2"};
  struct Case {
    std::string name;
    json before, now;
    std::string used;  // empty: it may go on
  };
  for (const Case& each : std::vector<Case>{
           {"--val-data", a, a, ""},
           {"--val-data", a, b, "--val-data a.bin, 9 tokens, digest 1"},
           {"--val-data", "", b, ""},
           {"--val-data", a, "", ""},
           {"--val-data", a, training::kLastTenth, "--val-data of 1 files"},
           {"--hellaswag", "a file of digest 1", "a file of digest 2", "--hellaswag a file of digest 1"},
           {"--hellaswag", "a file of digest 1", "", ""},
           {"weights", "1", "2", "--model with weights of digest 1"},
           {"weights", nullptr, "2", "new weights"},
           {"weights", "2", nullptr, "--model with weights of digest 2"}}) {
    RunSettings before = settings(), now = settings();
    before[each.name] = each.before;
    now[each.name] = each.now;
    const auto different = training::differences(json(before), now);
    const std::string refusal = different.empty() ? "" : training::refusal(kCheckpoint, different);
    EXPECT_EQ(different.size(), each.used.empty() ? 0u : 1u) << refusal;
    EXPECT_NE(refusal.find(each.used.empty() ? "" : "used " + each.used + " ("), std::string::npos)
        << refusal;
    if (each.name.starts_with("--") && !different.empty()) {
      EXPECT_NE(training::acceptance(different).find("the training is the same"), std::string::npos);
    }
  }
}

TEST(Resume, TheFlagThatTakesAPartOfTheTextIsNamed) {
  RunSettings before = settings(), now = settings();
  before["--val-every"] = 0, before["--val-data"] = "";
  now["--val-every"] = 5, now["--val-data"] = training::kLastTenth;
  now["--data"] = {"text, 8 tokens, digest 3"};
  for (const bool begins : {true, false}) {
    if (!begins) std::swap(before, now);
    const std::string refusal = training::refusal(kCheckpoint, training::differences(json(before), now));
    EXPECT_NE(refusal.find(begins ? "used --val-every 0, --data" : "used --val-every 5, --data"),
              std::string::npos)
        << refusal;
  }
}

TEST(Resume, AcceptedDifferencesSayWhatTheyMean) {
  RunSettings now = settings();
  now["threads"] = 1;
  auto different = training::differences(json(settings()), now);
  EXPECT_NE(training::acceptance(different).find("the same to rounding"), std::string::npos);
  EXPECT_EQ(training::as_json(different).dump(), R"({"threads":[2,1]})");
  now["--max-lr"] = 1e-3;
  different = training::differences(json(settings()), now);
  EXPECT_NE(training::acceptance(different).find("another run"), std::string::npos);
}

// Dropout's masks belong to a micro-batch of a rank, and the video's order skips what does not fill a batch on all ranks.
TEST(Resume, AnotherDivisionIntoMicroBatchesOnlyRoundsIfMasksAndWindowsStayTheSame) {
  struct Case {
    double dropout;
    std::string order;
    RunSettings now;  // the checkpoint's run has --batch 8 on 2 ranks
    bool only_rounds;
  };
  for (const Case& each :
       std::vector<Case>{{0, "shuffled", {{"--batch", 4}}, true},
                         {0, "shuffled", {{"ranks", 1}}, true},
                         {0, "shuffled", {{"--batch", 4}, {"ranks", 3}, {"threads", 1}}, true},
                         {0, "video", {{"--batch", 4}}, false},
                         {0, "video", {{"ranks", 1}}, false},
                         {0, "video", {{"ranks", 1}, {"threads", 1}}, false},
                         {0, "video", {{"--batch", 16}, {"ranks", 1}}, true},
                         {0, "video", {{"threads", 1}}, true},
                         {0.2, "shuffled", {{"--batch", 4}}, false},
                         {0.2, "shuffled", {{"ranks", 1}}, false},
                         {0.2, "video", {{"--batch", 16}, {"ranks", 1}}, false},
                         {0.2, "shuffled", {{"threads", 1}}, true}}) {
    RunSettings before = settings();
    before["--dropout"] = each.dropout;
    before["--order"] = each.order;
    RunSettings now = before;
    now.update(each.now);
    const std::string accepted = training::acceptance(training::differences(json(before), now));
    EXPECT_NE(accepted.find(each.only_rounds ? "the same to rounding" : "another run"), std::string::npos)
        << each.dropout << " " << each.order << " " << accepted;
  }
}

TEST(Resume, ALongerRunSaysItsScheduleAndAShorterOneIsRefused) {
  const auto change = [](int64_t steps, bool anyway) {
    RunSettings now = settings();
    now["--steps"] = steps;
    return training::change_of_schedule(kCheckpoint, 20, json(settings()), now, anyway);
  };
  EXPECT_EQ(change(100, false), "");
  EXPECT_EQ(
      change(200, false),
      "--steps 200 instead of 100: from step 20 on the learning rate follows the schedule of 200 steps");
  EXPECT_ERROR(change(50, false),
               "--resume: the run in runs/a used --steps 100 (checkpoint step_000020); got --steps 50");
  EXPECT_NE(change(50, true), "");
  EXPECT_ERROR(change(20, true), "--steps 20: checkpoint step_000020 leaves nothing to train");
  for (const bool anyway : {false, true}) {
    EXPECT_ERROR(change(19, anyway),
                 "--steps 19: checkpoint step_000020 in runs/a is beyond it; give --steps 20");
  }
}

}  // namespace gpt2::testing
