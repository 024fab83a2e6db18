// Flags of llm.c's long runs: other schedules than the cosine (-k), and steps that are skipped (-sl, -sg).
//
// since 17_zero
#pragma once

#include "common/app/command_line.h"

namespace gpt2::training {

enum class Schedule : uint8_t { cosine, linear, constant, wsd };

struct LongRunOptions {
  Schedule schedule = Schedule::cosine;
  double skip_loss_z = 0, skip_norm_z = 0;  // standard deviations; 0: never

  void add_to(app::CommandLine& flags) {
    constexpr double kMost = 1000;
    flags.group("Recipe");
    flags.add("--schedule", schedule,
              {{"cosine", Schedule::cosine},
               {"linear", Schedule::linear},
               {"constant", Schedule::constant},
               {"wsd", Schedule::wsd}},
              "the learning rate after the warm-up; wsd: constant, then down in the last fifth of the steps");
    flags.add(
        "--skip-loss-z", skip_loss_z, 0, kMost,
        "skip the update of a step whose loss is more standard deviations above the last 128; 0: never");
    flags.add("--skip-norm-z", skip_norm_z, 0, kMost, "the same for the norm of the gradients; 0: never");
  }
};

}  // namespace gpt2::training
