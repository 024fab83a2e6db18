// Starts a program as several ranks: under mpirun, or with the variables that torchrun sets.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "common/dist/socket.h"
#include "tests/common/files.h"

namespace gpt2::testing {

struct Ended {
  int status = -1;  // the exit status; 124: it had to be stopped
  double seconds = 0;
  std::string output;  // stdout and stderr

  // How often `text` is in the output.
  int count(const std::string& text) const {
    int found = 0;
    for (size_t at = output.find(text); at != std::string::npos; at = output.find(text, at + 1)) ++found;
    return found;
  }
};

inline Ended run_in_shell(const std::string& command) {
  const TempDir folder;
  put_file(folder / "command", "export ASAN_OPTIONS=detect_leaks=0\n" + command);  // MPI keeps some memory
  const auto begin = std::chrono::steady_clock::now();
  FILE* pipe = popen(("timeout 60 bash " + (folder / "command") + " 2>&1").c_str(), "r");
  Ended ended;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) ended.output.append(buffer, n);
  const int status = pclose(pipe);
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  ended.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return ended;
}

inline bool have_mpirun() {
#ifdef GPT2_HAVE_MPI
  return std::system("command -v mpirun > /dev/null") == 0;
#else
  return false;
#endif
}

// As root, with more ranks than processors, bound to none.
inline Ended run_with_mpi(int ranks, const std::string& command) {
  return run_in_shell(
      "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 "
      "OMPI_MCA_hwloc_base_binding_policy=none EXECUTOR_DEVICES=" +
      std::to_string(ranks) + "\nexec mpirun -n " + std::to_string(ranks) + " " + command);
}

// What torchrun does: sets the variables, starts the ranks, and ends all of them when one fails.
inline Ended run_with_variables(int ranks, const std::string& command) {
  const int port = dist::Socket::listen(0, true).port();  // free a moment ago
  std::string script = "export WORLD_SIZE=" + std::to_string(ranks) +
                       " MASTER_ADDR=localhost MASTER_PORT=" + std::to_string(port) + "\n" +
                       "export EXECUTOR_DEVICES=" + std::to_string(ranks) + "\n";
  for (int rank = 0; rank < ranks; ++rank) {
    const std::string number = std::to_string(rank);
    script += "RANK=" + number + " LOCAL_RANK=" + number + " " + command + " &\n";
  }
  return run_in_shell(
      script + "for rank in $(seq $WORLD_SIZE); do\n  wait -n && continue\n  status=$?\n  sleep 1\n" +
      "  kill -9 $(jobs -pr) $(jobs -ps) 2> /dev/null\n  wait 2> /dev/null\n  exit $status\ndone\n");
}

}  // namespace gpt2::testing
