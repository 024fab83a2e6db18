// A clean stop: after SIGINT (Ctrl-C) or SIGTERM the step that runs is finished and a checkpoint is written. A second
// signal, some seconds later, ends the program at once.
//
// since 13_fineweb
#pragma once

#include "common/dist/process_group.h"

namespace gpt2::app {

// From now on the two signals are caught.
void catch_interrupts();

// Asks for a clean stop as if `signal` had come. Returns false, and does nothing, before catch_interrupts().
bool stop_after_step(int signal);

// The signal that was caught, or 0. The program's exit status is then 128 more (common/app/program.h).
int interrupt();

// Whether any rank was told to stop: the same answer on all of them.
bool stop_requested(const dist::ProcessGroup& group);

}  // namespace gpt2::app
