// What differs between a checkpoint's run and the run that is to go on from it, in the terms of the flags.
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
};

// The settings that change the course of a run and are not the same. Not among them: where logs and checkpoints go, how
// often the run is measured and saved, and --steps.
std::vector<Difference> differences(const nlohmann::json& before, const RunSettings& now);

// --resume: the run in runs/a used --batch 8 (checkpoint step_000020); got --batch 4
std::string refusal(const std::string& checkpoint, const std::vector<Difference>& differences);

// What --resume-anyway says on the terminal: "equal to rounding" for threads, ranks, --batch, kernels and the like,
// "another run" for the rest.
std::string acceptance(const std::vector<Difference>& differences);

// {"--batch": [8, 4], ...} for the log.
nlohmann::ordered_json as_json(const std::vector<Difference>& differences);

// What a longer run does to the learning rate, from `step` on. Throws if --steps is below `step`, or below the
// checkpoint's --steps unless `anyway`. Empty if --steps is the same.
std::string change_of_schedule(const std::string& checkpoint, int64_t step, const nlohmann::json& before,
                               const RunSettings& now, bool anyway);

}  // namespace gpt2::training
