#include "common/app/interrupt.h"

#include <csignal>
#include <ctime>
#include <span>

namespace gpt2::app {
namespace {

volatile std::sig_atomic_t caught = 0;
volatile std::time_t caught_at = 0;
bool is_catching = false;

// mpirun passes on what it was sent, and what the terminal sent the ranks themselves: one signal may come twice.
constexpr std::time_t kSameSignal = 2;  // seconds

void on_signal(int signal) {
  const std::time_t now = std::time(nullptr);
  if (caught != 0 && now - caught_at > kSameSignal) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  if (caught == 0) caught_at = now;
  caught = signal;
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
  is_catching = true;
}

bool stop_after_step(int signal) {
  if (is_catching && caught == 0) caught = signal;
  return is_catching;
}

int interrupt() { return caught; }

bool stop_requested(const dist::ProcessGroup& group) {
  double ranks = caught != 0 ? 1 : 0;
  group.all_reduce(std::span(&ranks, 1));
  return ranks > 0;
}

}  // namespace gpt2::app
