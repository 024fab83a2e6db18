#include "common/app/interrupt.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <span>

namespace gpt2::app {
namespace {

volatile std::sig_atomic_t caught = 0;
volatile std::time_t caught_at = 0;
bool is_catching = false;
std::string error_message;  // of stop_with_error()

// A rank may get the same signal twice: from the terminal and from mpirun, which forwards its signals.
constexpr std::time_t kSameSignal = 2;  // seconds

// Seconds of the monotonic clock. The time of day can be set back; then a second Ctrl-C could look like the
// first one.
std::time_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec;
}

// When the terminal or the reader of a pipe is gone, writing there fails, and the error would end the run
// before its checkpoint. So redirect the stream to /dev/null.
void leave_lost_streams() {
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    pollfd state{stream, POLLOUT, 0};
    if (poll(&state, 1, 0) < 0 || (state.revents & (POLLERR | POLLHUP)) == 0) continue;
    const int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere < 0) continue;
    dup2(nowhere, stream);
    close(nowhere);
  }
}

// Calls only functions that POSIX allows in a signal handler.
void on_signal(int signal) {
  const std::time_t time = now();
  if (signal == SIGHUP || signal == SIGPIPE) leave_lost_streams();
  if (caught != 0 && time - caught_at > kSameSignal && signal != SIGPIPE) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  if (caught == 0) {
    caught_at = time;
    caught = signal;
  }
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  // These two end a run even if ignored: shells ignore SIGINT for background jobs, and app::run ignores SIGPIPE.
  for (const int signal : {SIGINT, SIGPIPE}) sigaction(signal, &action, nullptr);
  for (const int signal : {SIGTERM, SIGHUP, SIGXCPU}) {
    if (!is_ignored(signal)) sigaction(signal, &action, nullptr);
  }
  is_catching = true;
}

bool stop_after_step(int signal) {
  if (is_catching && caught == 0) caught = signal;
  return is_catching;
}

bool stop_with_error(const std::string& message) {
  if (is_catching && error_message.empty()) error_message = message;
  return is_catching;
}

void add_to_stop_error(const std::string& text) {
  if (!error_message.empty()) error_message += text;
}

std::string stop_error() { return error_message; }

int interrupt() { return caught; }

bool stop_requested(const dist::ProcessGroup& group) {
  double ranks = caught != 0 || !error_message.empty() ? 1 : 0;
  group.all_reduce(std::span(&ranks, 1));
  return ranks > 0;
}

}  // namespace gpt2::app
