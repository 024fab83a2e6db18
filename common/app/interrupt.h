// A clean stop: after SIGINT (Ctrl-C), SIGTERM, SIGHUP (ssh hangs up), SIGPIPE (nobody reads the output any more) or
// SIGXCPU (a limit on processor time) the current step is finished and a checkpoint is written. A second signal, more
// than two seconds later, ends the program at once. nohup makes SIGHUP ignored, and it stays so.
//
// since 13_fineweb
#pragma once

#include "common/dist/process_group.h"

namespace gpt2::app {

// Catches the signals from now on.
void catch_interrupts();

// Asks for a clean stop as if `signal` had come. Returns false, and does nothing, before catch_interrupts().
bool stop_after_step(int signal);

// The first signal that was caught, or 0. The program's exit status is 128 more (common/app/program.h).
int interrupt();

// Whether any rank was told to stop; all ranks get the same answer.
bool stop_requested(const dist::ProcessGroup& group);

}  // namespace gpt2::app
