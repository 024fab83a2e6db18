// tests/bench/timing as a black box, with the tiny model: what it writes, and what it refuses to time.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "paths.h"
#include "tests/common/files.h"
#include "tests/common/xml.h"
#include "tests/shell.h"

using namespace gpt2::testing;
namespace fs = std::filesystem;

namespace {

const std::string kSource = GPT2_SOURCE_DIR, kPrograms = GPT2_BIN_DIR;
const std::string kTiming = kSource + "/tests/bench/timing";

// The steps that the table is about.
std::vector<std::string> timed_steps() {
  std::vector<std::string> steps;
  for (const auto& entry : fs::directory_iterator(kSource + "/steps")) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() && name >= "04") steps.push_back(name);
  }
  return steps;
}

// A folder with a link to each step's program, in which a test may put one of its own.
class Programs {
 public:
  Programs() {
    fs::create_directory(bin());
    for (const std::string& step : timed_steps())
      fs::create_symlink(kPrograms + "/" + step, bin() + "/" + step);
  }
  std::string bin() const { return folder_ / "bin"; }
  std::string out() const { return folder_ / "out"; }

  // Replaces a step's program by a script that runs it with its arguments as `$program "$@"`.
  void replace(const std::string& step, const std::string& script) const {
    const std::string path = bin() + "/" + step;
    fs::remove(path);
    put_file(path, "#!/bin/bash\nprogram=" + kPrograms + "/" + step + "\n" + script);
    fs::permissions(path, fs::perms::owner_all);
  }

  // Runs the table with these flags; `printed` has both streams.
  int run(const std::string& flags) {
    const Outcome outcome = shell(kTiming + " --device cpu --bin " + bin() + " --out " + out() + " " + flags);
    printed = outcome.output;
    return outcome.status;
  }

  std::string printed;

 private:
  TempDir folder_;
};

class TimingTable : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* tool : {"jq", "gnuplot"})
      if (shell("command -v " + std::string(tool)).status != 0) GTEST_SKIP() << tool << " is not here";
  }
  Programs programs;
};

constexpr auto kBrief = "--model tiny --rounds 1 --steps 4";

}  // namespace

TEST_F(TimingTable, HasARowForEveryStepFrom04) {
  ASSERT_EQ(programs.run(kBrief), 0) << programs.printed;
  const auto table = nlohmann::json::parse(file_bytes(programs.out() + "/table.json"));
  for (const std::string& step : timed_steps()) {
    size_t rows = 0;
    for (const auto& row : table.at("rows")) {
      if (row.at("step") != step) continue;
      ++rows;
      EXPECT_GE(row.at("ms").get<double>(), 0.01) << row;
      EXPECT_GE(row.at("tokens_per_sec").get<double>(), 1) << row;
      EXPECT_EQ(row.at("losses").size(), 4u) << row;
    }
    EXPECT_GE(rows, 1u) << step;
    EXPECT_NE(file_bytes(programs.out() + "/table.md").find("| " + step), std::string::npos) << step;
  }
  EXPECT_EQ(xml_fault(file_bytes(programs.out() + "/table.svg")), "");
}

TEST_F(TimingTable, AWrongLossFailsItsRow) {
  programs.replace("06_bf16", R"("$program" "$@" || exit
    while [[ $1 != --log ]]; do shift; done
    sed -i '/"step":1,/s/"loss":[0-9]*/"loss":9/' "$2"
  )");
  EXPECT_EQ(programs.run(kBrief), 1);
  EXPECT_NE(programs.printed.find("FAILED: 06: its losses differ"), std::string::npos) << programs.printed;
  EXPECT_EQ(programs.printed.find("FAILED: 07"), std::string::npos) << programs.printed;
  EXPECT_FALSE(fs::exists(programs.out()));
}

TEST_F(TimingTable, ALossThatIsNoNumberFailsItsRow) {
  programs.replace("04_overfit", R"("$program" "$@" || exit
    while [[ $1 != --log ]]; do shift; done
    sed -i '/"step":2,/s/"loss":[0-9.]*/"loss":null/' "$2"
  )");
  EXPECT_EQ(programs.run(kBrief), 1);
  EXPECT_NE(programs.printed.find("FAILED: 04: its log has no finite loss"), std::string::npos)
      << programs.printed;
}

TEST_F(TimingTable, AProgramThatFailsIsNamedWithItsMessage) {
  programs.replace("05_tf32", "echo '05_tf32: no such luck' >&2; exit 3");
  EXPECT_EQ(programs.run(kBrief), 1);
  EXPECT_NE(programs.printed.find("exit status 3: 05_tf32: no such luck"), std::string::npos)
      << programs.printed;
}

TEST_F(TimingTable, BadFlagsAreOneLine) {
  for (const auto& [flags, expected] : std::vector<std::pair<std::string, std::string>>{
           {"--colour red", "--colour: no such flag"},
           {"--device tpu", "--device tpu: expected cpu, cuda"},
           {"--model huge", "--model huge: expected tiny, gpt2"},
           {"--steps 3", "--steps 3: expected a number from 4"},
           {"--batch", "--batch : expected a number from 1"},
           {"--model tiny --seq 257", "--seq 257 is longer than the model's block size 256"}}) {
    EXPECT_EQ(programs.run(flags), 1) << flags;
    EXPECT_EQ(programs.printed.find("timing: " + expected), 0u) << programs.printed;
    EXPECT_EQ(programs.printed.find('\n'), programs.printed.size() - 1) << programs.printed;
  }
}

TEST_F(TimingTable, WhatIsCommittedIsWhatTheCommandWrites) {
  const Outcome outcome = shell(kTiming + " --check");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
}

TEST_F(TimingTable, TheReadmesTableHasAtMostSixColumnsAndFits100Characters) {
  std::istringstream readme(file_bytes(kSource + "/README.md"));
  int rows = 0;
  bool inside = false;
  for (std::string line; std::getline(readme, line);) {
    if (line.starts_with("<!-- timing:")) inside = true;
    if (line.starts_with("<!-- /timing:")) inside = false;
    if (!inside || !line.starts_with("|")) continue;
    ++rows;
    EXPECT_LE(std::count(line.begin(), line.end(), '|'), 7) << line;
    EXPECT_LE(line.size(), 100u) << line;
  }
  EXPECT_GE(rows, 3);
}

// In a copy of the files that the command reads and writes.
TEST_F(TimingTable, CheckNoticesWhatWasEditedByHandAndRenderMendsIt) {
  TempDir copy;
  fs::create_directories(copy / "common");
  fs::create_directories(copy / "tests");
  fs::create_directories(copy / "docs");
  fs::copy(kSource + "/common/app", copy / "common/app");
  fs::copy_file(kSource + "/common/course.sh", copy / "common/course.sh");
  fs::copy(kSource + "/tests/bench", copy / "tests/bench");
  fs::copy(kSource + "/docs/timing", copy / "docs/timing", fs::copy_options::recursive);
  fs::copy_file(kSource + "/README.md", copy / "README.md");
  const std::string timing = (copy / "tests/bench/timing") + " ";
  EXPECT_EQ(shell(timing + "--check").output, "");
  for (const auto& [file, text] : std::vector<std::pair<std::string, std::string>>{
           {"README.md", "| 04 "}, {"docs/timing/amd_epyc_2_cores/table.md", "| 04_overfit "}}) {
    const std::string right = file_bytes(copy / file);
    std::string wrong = right;
    wrong.insert(wrong.find(text), "| 03 | by hand |\n");
    put_file(copy / file, wrong);
    const Outcome outcome = shell(timing + "--check");
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.output, "timing: " + file + " is out of date: ./course timing --render\n");
    EXPECT_EQ(shell(timing + "--render").status, 0);
    EXPECT_EQ(file_bytes(copy / file), right);
  }
}
