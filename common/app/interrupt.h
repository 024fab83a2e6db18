// A clean stop: after SIGINT (Ctrl-C), SIGTERM, SIGHUP (the ssh connection closed), SIGPIPE (the reader of
// the output closed it) or SIGXCPU (CPU time limit) the program finishes the current step and writes a
// checkpoint. A second signal, more than two seconds later, ends the program at once. A signal that is ignored when
// the program starts stays ignored (SIGHUP under nohup), except SIGINT, because a shell starts background jobs with
// SIGINT ignored.
//
// since 13_fineweb
#pragma once

#include <string>

#include "common/dist/process_group.h"

namespace gpt2::app {

// Installs the signal handlers.
void catch_interrupts();

// Requests a clean stop as if `signal` had arrived. Before catch_interrupts() it does nothing and returns
// false.
bool stop_after_step(int signal);

// Requests a clean stop because of an error that does not affect the training, such as a full disk under the log. The
// program then ends with the first such error. Before catch_interrupts() it does nothing and returns false.
bool stop_with_error(const std::string& message);

// Adds to the message of stop_with_error(), if there was such an error.
void add_to_stop_error(const std::string& text);

// Returns the message of the first call of stop_with_error(), or "".
std::string stop_error();

// Returns the first signal that was caught, or 0. The program's exit status is 128 + this number
// (common/app/program.h).
int interrupt();

// Returns whether any rank caught a signal or called stop_with_error(). The result is the same on all ranks.
bool stop_requested(const dist::ProcessGroup& group);

}  // namespace gpt2::app
