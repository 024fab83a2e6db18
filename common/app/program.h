// The frame of every program: reads flags, prints errors, returns the exit status.
//
//   int main(int argc, char** argv) {
//     return app::run("04_overfit", argc, argv, [](app::CommandLine& flags) {
//       Options options;
//       options.add_to(flags);
//       flags.parse();
//       ...
//     });
//   }
//
// since 01_module
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/app/command_line.h"

namespace gpt2::app {

// Silences standard output unless `is_master`, so that only one rank prints. Every rank prints its errors.
void speak_only_if(bool is_master);

// Flushes standard output. Throws if it is closed or its disk is full. If the reader of a pipe has exited (`|
// head`), the run ends as after a signal: at once, or, after a call of catch_interrupts()
// (common/app/interrupt.h), after the current step and a checkpoint.
void flush_output();

// Prints these bytes. Throws if flush_output() does.
void write_output(std::string_view bytes);

// Runs `body` and returns main's exit status: 0, 1 after an error, or 128 + the signal that stopped it
// (common/app/interrupt.h). An error is printed as one line on stderr, after the program's name.
int run(const std::string& program, int argc, char** argv, const std::function<void(CommandLine&)>& body);

}  // namespace gpt2::app
