// The differences between a checkpoint's run and the run that resumes it, named by their flags.
//
// since 13_fineweb
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/training/run_settings.h"

namespace gpt2::training {

struct Difference {
  std::string name;  // as in run_settings()
  nlohmann::json before, now;
  bool only_rounds = false;  // the run goes on to the same losses, except for rounding
};

// Returns the settings that differ and affect the training. Not compared: the paths of logs and checkpoints,
// how often the run is evaluated and saved, and --steps. The data of an evaluation are compared if both runs have it.
std::vector<Difference> differences(const nlohmann::json& before, const RunSettings& now);

// A run that does not measure remembers what an earlier part of it was measured on: a later part must not go on with
// other data as if they were the same.
void keep_measured(const nlohmann::json& before, RunSettings& now);

// Returns the error message: --resume: the run in runs/a used --batch 8 (checkpoint step_000020); got --batch
// 4
std::string refusal(const std::string& checkpoint, const std::vector<Difference>& differences);

// Returns what --resume-anyway prints: "the same to rounding" if only threads, kernels and the like differ, otherwise
// "another run". Ranks and --batch only round as long as they change neither dropout's masks nor the windows that
// --order video skips.
std::string acceptance(const std::vector<Difference>& differences);

// Returns {"--batch": [8, 4], ...} for the log.
nlohmann::ordered_json as_json(const std::vector<Difference>& differences);

// Throws if the checkpoint's step is beyond --steps.
void require_not_beyond(const std::string& checkpoint, int64_t step, int64_t steps);

// Returns a note on how a longer run changes the learning rate from `step` on; empty if --steps is the same.
// Throws if --steps is below `step`, or, unless `anyway`, below the checkpoint's --steps.
std::string change_of_schedule(const std::string& checkpoint, int64_t step, const nlohmann::json& before,
                               const RunSettings& now, bool anyway);

}  // namespace gpt2::training
