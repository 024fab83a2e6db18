// Starts a program as several ranks: under mpirun, or with the variables that torchrun sets.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "common/dist/socket.h"
#include "paths.h"
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

// Runs a script with bash, for at most 60 seconds. Signals that the caller ignores (under nohup, say) would stay
// ignored in the script: there they have their usual effect.
inline Ended run_in_shell(const std::string& command) {
  for (const int signal : {SIGHUP, SIGPIPE, SIGTERM, SIGXCPU}) std::signal(signal, SIG_DFL);
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

// Where ranks may run as root, more of them than processors, bound to none, each with its "GPU".
inline std::string mpi_environment(int gpus) {
  return "export $(cat " GPT2_SOURCE_DIR "/common/dist/mpirun.env) EXECUTOR_DEVICES=" + std::to_string(gpus) +
         "\n";
}

inline Ended run_with_mpi(int ranks, const std::string& command) {
  return run_in_shell(mpi_environment(ranks) + "exec mpirun -n " + std::to_string(ranks) + " " + command);
}

// One rank for each command, in their order. (mpirun itself takes commands between colons, but Debian 13's crashes then.)
inline Ended run_with_mpi(const std::vector<std::string>& commands) {
  const TempDir folder;
  std::string script = "case ${OMPI_COMM_WORLD_RANK:-$PMI_RANK} in\n";
  for (size_t i = 0; i < commands.size(); ++i)
    script += std::to_string(i) + ") exec " + commands[i] + " ;;\n";
  put_file(folder / "rank", script + "esac\n");
  return run_with_mpi(int(commands.size()), "bash " + (folder / "rank"));
}

// Two ranks with these flags.
struct Difference {
  std::string flags[2];  // of rank 0 and rank 1
  std::string expected;  // of the one line; "": the run is fine
};

// The claim of every test of ranks that do not belong together: before step 0, one line that names what differs, and
// exit status 1; no rank hangs, is killed, or ends inside MPI.
inline void expect_difference(const std::string& step, const Difference& difference) {
  SCOPED_TRACE(step + " " + difference.flags[0] + " : " + difference.flags[1]);
  const std::string program = GPT2_BIN_DIR "/" + step + " --device cpu --steps 3 ";
  const Ended ended = run_with_mpi({program + difference.flags[0], program + difference.flags[1]});
  const bool is_fine = difference.expected.empty();
  EXPECT_EQ(ended.status, is_fine ? 0 : 1) << ended.output;
  EXPECT_EQ(ended.count("step    0 | loss: "), is_fine ? 1 : 0) << ended.output;
  EXPECT_EQ(ended.count(is_fine ? "step    2 | loss: " : step + ": ranks differ: "), 1) << ended.output;
  EXPECT_GE(ended.count(difference.expected), is_fine ? 0 : 1) << ended.output;
  EXPECT_LE(ended.seconds, 30);
  EXPECT_EQ(ended.count("lost rank") + ended.count("MPI_ERR") + ended.count("ignal"), 0) << ended.output;
}

// A port that was free a moment ago, as was the one after it.
inline int free_port() {
  const dist::Deadline deadline(std::chrono::seconds(1));
  for (;;) {
    const int port = dist::Socket::listen(dist::kLoopback, 0, deadline).port();
    if (port < 65535 && dist::Socket::listen(dist::kLoopback, port + 1, deadline).defined()) return port;
  }
}

// What torchrun does: sets the variables, starts the ranks, and ends all of them when one fails.
inline Ended run_with_variables(int ranks, const std::string& command) {
  const int port = free_port();
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
