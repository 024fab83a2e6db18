// What every program does around its own work: flags in, errors out.
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

// Silences standard output unless `is_master`: of many ranks only one reports. Errors are printed by every rank.
void speak_only_if(bool is_master);

// Sends what was printed on its way. Throws if standard output is closed or its disk is full. If its reader is gone
// (`| head`), the run ends as after a signal: at once, or after the current step and a checkpoint once
// catch_interrupts() was called (common/app/interrupt.h).
void flush_output();

// Prints these bytes; fails as flush_output does.
void write_output(std::string_view bytes);

// Runs `body`, prints what it throws as one line on stderr, after the program's name, and returns main's exit status:
// 0, 1 after an error, or 128 plus the signal that stopped it (common/app/interrupt.h).
int run(const std::string& program, int argc, char** argv, const std::function<void(CommandLine&)>& body);

}  // namespace gpt2::app
