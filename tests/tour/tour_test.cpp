// The tour as a black box, with programs that only write a log: when a row is ok and when it failed.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "paths.h"
#include "tests/common/files.h"
#include "tests/shell.h"

using namespace gpt2::testing;
namespace fs = std::filesystem;

namespace {

const std::string kTour = GPT2_SOURCE_DIR "/tests/tour/tour";

// A log of step events with these losses, which are JSON; then `done`.
std::string log_of(const std::vector<std::string>& losses, const std::string& done_fields = "") {
  std::string log = R"({"event":"config","data":"tales"})"
                    "\n";
  for (size_t step = 0; step < losses.size(); ++step)
    log += R"({"event":"step","step":)" + std::to_string(step) + R"(,"loss":)" + losses[step] +
           R"(,"norm":1,"lr":6e-4,"tokens_per_sec":1234})" + "\n";
  return log + R"({"event":"done","tokens_per_sec":1234.4)" + done_fields + "}\n";
}

class Tour : public ::testing::Test {
 protected:
  void SetUp() override {
    if (shell("command -v jq").status != 0) GTEST_SKIP() << "jq is not here";
    fs::create_directory(dir_ / "bin");
  }

  // A program that writes this log where --log says, and a line; other lines of the script run before.
  void program(const std::string& step, const std::string& log, const std::string& script = "") {
    put_file(dir_ / (step + ".log"), log);
    const std::string path = dir_ / ("bin/" + step);
    put_file(path, "#!/bin/sh\n" + script + "\necho \"$@\"\ncp " + (dir_ / (step + ".log")) + " \"$2\"\n");
    fs::permissions(path, fs::perms::owner_all);
  }

  // `printed` has what the tour of these steps printed.
  int tour(const std::string& steps) {
    const Outcome outcome = shell("COURSE_PRESET=" + preset + " " + kTour + " --bin " + (dir_ / "bin") +
                                  " --out " + (dir_ / "out") + " " + steps);
    printed = outcome.output;
    return outcome.status;
  }

  // The tour ends with this status and has this row.
  void expect_row(const std::string& steps, int status, const std::string& row) {
    EXPECT_EQ(tour(steps), status) << printed;
    EXPECT_NE(printed.find("\n" + row + "\n"), std::string::npos) << "no row: " << row << "\n" << printed;
  }

  TempDir dir_;
  std::string printed, preset = "cpu";
};

// As print_table prints it.
std::string row(const std::string& step, const std::string& claim, const std::string& figure,
                const std::string& verdict) {
  const auto padded = [](std::string text, size_t width) {
    if (text.size() < width) text.resize(width, ' ');
    return text + ' ';
  };
  return padded(step, 18) + padded(claim, 50) + padded(figure, 40) + verdict;
}

struct Comparison {
  std::vector<std::string> losses, expected;
  std::string figure, verdict;
};

}  // namespace

TEST_F(Tour, ComparesTheLossesOfTwoSteps) {
  const std::string claim = "matrix products in bf16: 05's curve";  // up to 1e-3, relatively
  for (const auto& [losses, expected, figure, verdict] :
       std::vector<Comparison>{{{"5", "4"}, {"5", "4"}, "2 losses, off by 0 at most", "ok"},
                               {{"5", "4"}, {"5", "4.002"}, "2 losses, off by 0.0004998 at most", "ok"},
                               {{"5", "4"}, {"5", "4.02"}, "2 losses, off by 0.0049751 at most", "FAILED"},
                               {{"5", "4"}, {"5.02", "4"}, "2 losses, off by 0.0039841 at most", "FAILED"},
                               {{"5", "null"}, {"5", "4"}, "a loss is not a finite number", "FAILED"},
                               {{"5", "4"}, {"5", "null"}, "a loss is not a finite number", "FAILED"},
                               {{"null"}, {"null"}, "a loss is not a finite number", "FAILED"},
                               {{"5", "1e999"}, {"5", "1e999"}, "a loss is not a finite number", "FAILED"},
                               {{"5", "\"4\""}, {"5", "4"}, "a loss is not a finite number", "FAILED"},
                               {{"5", "4"}, {"5"}, "2 losses, but 1 to compare with", "FAILED"},
                               {{"5"}, {"5", "4"}, "1 losses, but 2 to compare with", "FAILED"},
                               {{}, {}, "no losses in the log", "FAILED"}}) {
    program("06_bf16", log_of(losses));
    program("05_tf32", log_of(expected));
    expect_row("06_bf16", verdict == "ok" ? 0 : 1, row("06_bf16", claim, figure, verdict));
  }
}

TEST_F(Tour, AStepThatMustAgreeToTheBitMayNotDifferAtAll) {
  program("04_overfit", log_of({"5", "4"}));
  program("05_tf32", log_of({"5", "4"}));
  expect_row("05_tf32", 0, row("05_tf32", "full float32: 04's losses", "2 losses, off by 0 at most", "ok"));
  program("04_overfit", log_of({"5", "4.000000001"}));
  EXPECT_EQ(tour("05_tf32"), 1) << printed;
  EXPECT_NE(printed.find("1 of 2 failed"), std::string::npos) << printed;
}

// A GPU's products are chosen by timing, in each program anew.
TEST_F(Tour, OnAGpuEqualStepsMayDifferByRounding) {
  preset = "cuda";
  program("04_overfit", log_of({"5", "4"}));
  program("05_tf32", log_of({"5", "4.0002"}));
  expect_row("05_tf32", 0,
             row("05_tf32", "full float32: 04's losses", "2 losses, off by 5e-05 at most", "ok"));
  program("05_tf32", log_of({"5", "4.002"}));
  EXPECT_EQ(tour("05_tf32"), 1) << printed;
}

TEST_F(Tour, AProgramThatFailsOrWritesNoLogFailsItsRow) {
  program("05_tf32", log_of({"5"}), "exit 3");
  expect_row(
      "05_tf32", 1,
      row("05_tf32", "fp32 products, timed", "exit status 3, see " + (dir_ / "out/05_tf32.txt"), "FAILED"));
  program("05_tf32", log_of({"5"}));
  program("04_overfit", log_of({"5"}), "exit 3");
  expect_row("05_tf32", 1,
             row("05_tf32", "full float32: 04's losses", "1 losses, but 0 to compare with", "FAILED"));
  program("05_tf32", log_of({"5"}), "exit 0");  // an old log of it is there
  program("04_overfit", log_of({"5"}));
  expect_row("05_tf32", 1, row("05_tf32", "full float32: 04's losses", "no losses in the log", "FAILED"));
}

TEST_F(Tour, AStepWithoutATourFails) {
  expect_row("99_new", 1, row("99_new", "nothing: tests/tour/steps.sh has no tour_99", "-", "FAILED"));
}

TEST_F(Tour, EveryStepHasATour) {
  const std::string steps = file_bytes(GPT2_SOURCE_DIR "/tests/tour/steps.sh");
  for (const auto& entry : fs::directory_iterator(GPT2_SOURCE_DIR "/steps")) {
    if (!entry.is_directory()) continue;
    const std::string name = entry.path().filename().string();
    EXPECT_NE(steps.find("\ntour_" + name.substr(0, 2) + "() {"), std::string::npos) << name;
  }
}

TEST_F(Tour, ChecksWhatAStepShows) {
  struct Case {
    std::string step, log, claim, figure, verdict;
  };
  const std::string heart = "one batch, learnt by heart; the loss",
                    shaped = "a forward pass from ids to logits";
  const std::string table = "257 bytes in 384 columns; the loss", speed = "tokens a second, median";
  const auto logits = [](const std::string& std) {
    return log_of({}, R"(,"logits":[4,64,257],"mean":0.1,"std":)" + std);
  };
  for (const auto& [step, log, claim, figure, verdict] : std::vector<Case>{
           {"01_module", logits("0.5722"), shaped, "4 x 64 x 257 logits, std 0.572", "ok"},
           {"01_module", logits("0"), shaped, "4 x 64 x 257 logits, std 0", "FAILED"},
           {"04_overfit", log_of({"5.55", "0.009"}), heart, "5.55 -> 0.009 in 2 steps", "ok"},
           {"04_overfit", log_of({"5.55", "0.011"}), heart, "5.55 -> 0.011 in 2 steps", "FAILED"},
           {"04_overfit", log_of({"7", "0.009"}), heart, "7 -> 0.009 in 2 steps", "FAILED"},
           {"04_overfit", log_of({"5.55", "0.009"}), speed, "1,234", "ok"},
           {"09_vocab", log_of({"5.55", "3.4"}), table, "5.55 -> 3.4 in 2 steps", "ok"},
           {"09_vocab", log_of({"5.55", "3.6"}), table, "5.55 -> 3.6 in 2 steps", "FAILED"},
           {"09_vocab", log_of({"5.55", "null", "3.4"}), table, "5.55 -> 3.4 in 3 steps", "FAILED"},
           {"09_vocab", log_of({"5.55", "3.4"}), speed, "1,234", "ok"}}) {
    program(step, log);
    tour(step);
    EXPECT_NE(printed.find("\n" + row(step, claim, figure, verdict) + "\n"), std::string::npos)
        << row(step, claim, figure, verdict) << "\n"
        << printed;
  }
}

TEST_F(Tour, ComparesLogitsWithTheGolden) {
  const std::string golden = GPT2_SOURCE_DIR "/tests/golden/tiny_gpt2_logits.npy";
  const std::string claim = "a checkpoint of transformers, opened; its logits";
  std::string values = file_bytes(golden);
  const auto shows = [&](const std::string& npy, const std::string& figure, const std::string& verdict) {
    put_file(dir_ / "logits.npy", npy);
    program("02_hf_weights", log_of({}), "cp " + (dir_ / "logits.npy") + " " + (dir_ / "out/logits.npy"));
    expect_row("02_hf_weights", verdict == "ok" ? 0 : 1, row("02_hf_weights", claim, figure, verdict));
  };
  shows(values, "off by 0.0e+00 of the largest", "ok");
  shows(values.substr(0, values.size() - 4), "off by nan of the largest", "FAILED");
  std::string broken = values;
  broken.replace(broken.size() - 4, 4, "\xff\xff\xff\x7f");  // NaN
  shows(broken, "off by nan of the largest", "FAILED");
}

TEST_F(Tour, ShowsTheBeginningTheEndAndEvery200thLine) {
  program("09_vocab", log_of({"5.55", "3.4"}), "seq 403; printf 'a\\001b\\n'");
  tour("09_vocab");
  EXPECT_NE(printed.find("\n  1\n  2\n  3\n  4\n  5\n  ...\n  200\n  400\n"), std::string::npos) << printed;
  EXPECT_EQ(printed.find('\001'), std::string::npos);
}

TEST_F(Tour, ClosesWithATable) {
  program("09_vocab", log_of({"5.55", "3.4"}));
  EXPECT_EQ(tour("09_vocab"), 0) << printed;
  const size_t at = printed.find("\n" + row("step", "what it showed", "figure", "verdict") + "\n");
  ASSERT_NE(at, std::string::npos) << printed;
  EXPECT_NE(printed.find("\n\n0 of 2 failed; ", at), std::string::npos) << printed;
}

TEST_F(Tour, BadFlagsAreOneLine) {
  EXPECT_EQ(shell(kTour + " --colour").output, "tour: --colour: no such flag (tests/tour/tour --help)\n");
  EXPECT_EQ(shell(kTour + " --bin").output, "tour: --bin needs a folder\n");
  EXPECT_EQ(shell(kTour + " --help").output.find("tests/tour/tour [STEP...]"), 0u);
}
