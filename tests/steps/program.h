// The programs as black boxes: run one, read its log.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "paths.h"
#include "tests/common/files.h"

namespace gpt2::testing {

struct Outcome {
  int status = -1;                  // the exit status
  std::string output, error;        // stdout, stderr
  std::vector<nlohmann::json> log;  // the events of --log

  std::vector<nlohmann::json> events(const std::string& name) const {
    std::vector<nlohmann::json> found;
    for (const auto& event : log) {
      if (event.at("event") == name) found.push_back(event);
    }
    return found;
  }
  std::vector<double> losses() const {
    std::vector<double> losses;
    for (const auto& step : events("step")) losses.push_back(step.at("loss"));
    return losses;
  }
};

// Runs a step's program from the repository's root, on the CPU, with these flags (as in a shell).
inline Outcome run_program(const std::string& step, const std::string& flags) {
  const TempDir folder;
  const std::string log = folder / "log.jsonl", errors = folder / "stderr";
  const std::string command = "cd " GPT2_SOURCE_DIR " && " GPT2_BIN_DIR "/" + step + " --device cpu --log " +
                              log + " " + flags + " 2> " + errors;
  Outcome outcome;
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) outcome.output.append(buffer, n);
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  outcome.error = file_bytes(errors);
  std::ifstream lines(log);
  for (std::string line; std::getline(lines, line);) outcome.log.push_back(nlohmann::json::parse(line));
  return outcome;
}

// The largest relative difference of two runs' losses; NaN if one holds a NaN, infinity if they are not as long.
inline double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size() || a.empty()) return INFINITY;
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] / b[i] - 1);
    if (std::isnan(difference)) return NAN;
    largest = std::max(largest, difference);
  }
  return largest;
}

// The claim of every test of bad input: status 1 and one line that names the program and contains `expected`.
inline void expect_error(const std::string& step, const std::string& flags, const std::string& expected) {
  const Outcome outcome = run_program(step, flags);
  EXPECT_EQ(outcome.status, 1) << flags;
  EXPECT_EQ(outcome.error.find(step + ": "), 0u) << outcome.error;
  EXPECT_NE(outcome.error.find(expected), std::string::npos) << outcome.error << "expected: " << expected;
  EXPECT_EQ(outcome.error.find('\n'), outcome.error.size() - 1) << outcome.error;
}

}  // namespace gpt2::testing
