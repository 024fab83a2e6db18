// A chapter is the difference between two steps: one idea, and no more lines than it takes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>
#include "paths.h"

namespace {

// Lines that the step adds to the one before.
int added_lines(const std::string& before, const std::string& after) {
  const std::string command = "diff -r " + before + " " + after + " | grep -c '^>'";
  FILE* pipe = popen(command.c_str(), "r");
  int lines = -1;
  EXPECT_EQ(fscanf(pipe, "%d", &lines), 1) << command;
  pclose(pipe);
  return lines;
}

}  // namespace

TEST(Chapters, EachAddsAtMostAsMuchAsTheVideosLargestCommit) {
  std::vector<std::string> steps;
  for (const auto& entry : std::filesystem::directory_iterator(GPT2_SOURCE_DIR "/steps")) {
    if (entry.is_directory()) steps.push_back(entry.path());
  }
  std::sort(steps.begin(), steps.end());
  ASSERT_GE(steps.size(), 14u);
  for (size_t i = 1; i < steps.size(); ++i) {
    const int lines = added_lines(steps[i - 1], steps[i]);
    const bool is_several_commits = steps[i].ends_with("13_fineweb");  // shards, validation, HellaSwag, log
    EXPECT_GE(lines, 1) << steps[i];
    EXPECT_LE(lines, is_several_commits ? 85 : 73) << steps[i];
  }
}
