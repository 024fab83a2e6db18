// Runs a command line of the shell: what the tests of scripts share.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

namespace gpt2::testing {

struct Outcome {
  int status;          // 128 if a signal ended the command
  std::string output;  // standard output and standard error
};

// Nothing is installed, and a GPU changes nothing.
inline Outcome shell(const std::string& command) {
  const std::string line = "export COURSE_INSTALL=no COURSE_PRESET=cpu\nexec 2>&1\n" + command;
  FILE* pipe = ::popen(line.c_str(), "r");
  if (!pipe) {
    ADD_FAILURE() << command;
    return {128, ""};
  }
  std::string output;
  std::array<char, 4096> buffer;
  for (size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    output.append(buffer.data(), n);
  const int status = ::pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128, output};
}

}  // namespace gpt2::testing
