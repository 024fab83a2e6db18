// A clean stop: after SIGINT (Ctrl-C), SIGTERM, SIGHUP (the ssh connection closed), SIGPIPE (the reader of
// the output closed it) or SIGXCPU (CPU time limit) the program finishes the current step and writes a
// checkpoint. A second signal, more than two seconds later, ends the program at once. Under nohup, SIGHUP
// stays ignored.
//
// since 13_fineweb
#pragma once

#include "common/dist/process_group.h"

namespace gpt2::app {

// Installs the signal handlers.
void catch_interrupts();

// Requests a clean stop as if `signal` had arrived. Before catch_interrupts() it does nothing and returns
// false.
bool stop_after_step(int signal);

// Returns the first signal that was caught, or 0. The program's exit status is 128 + this number
// (common/app/program.h).
int interrupt();

// Returns whether any rank caught a signal. The result is the same on all ranks.
bool stop_requested(const dist::ProcessGroup& group);

}  // namespace gpt2::app
