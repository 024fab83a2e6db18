// Checkpoints: all that a run needs to go on as if it had never been stopped.
//
// OUT/step_000123 is a Hugging Face directory, which transformers and --model open as it is, with the
// tokenizer's files, the optimizer's moments (optimizer.safetensors), and step, place in the data and
// settings of the run (state.json) beside the weights. It is written under a hidden name, synced, and
// renamed, so that whatever bears the name step_ is complete, whenever the run was killed.
//
// No random number belongs to it: the order of the data follows from the seed and the place.
//
// since 13_fineweb
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/data/token_loader.h"
#include "common/nn/hf_config.h"
#include "common/nn/module.h"
#include "common/optim/adamw.h"
#include "common/text/tokenizer.h"

namespace gpt2::app {

// What of a run is saved and restored.
struct TrainingState {
  nn::Module& model;
  optim::AdamW& optimizer;
  TokenLoader& loader;
};

// What goes into a checkpoint and does not change from step to step.
struct CheckpointSetup {
  HfConfig config;
  const Tokenizer& tokenizer;
  nlohmann::json settings;  // name -> value of all that must be the same when the run goes on
};

// The complete checkpoints in `out`, oldest first; none if there is no such folder.
std::vector<std::string> checkpoints_in(const std::string& out);

// Writes out/step_000123 for the state after that many steps, then removes all but the `keep` newest. Returns
// its path. After an error the checkpoints are those that there were before.
std::string save_checkpoint(const std::string& out, int64_t step, int64_t keep, const TrainingState& state,
                            const CheckpointSetup& setup);

// Restores what save_checkpoint wrote, and returns its step. Fails, naming it, if a setting was another.
int64_t load_checkpoint(const std::string& path, const TrainingState& state, const nlohmann::json& settings);

// Prepares `out`, an empty or new folder, or with `resume` one of checkpoints: what a killed run left half-
// written is removed. Fails if there is something in it without `resume`.
void prepare_out(const std::string& out, bool resume);

// Fails if `out` has not the room for `keep` checkpoints of this model and the next.
void require_room(const std::string& out, int64_t keep, int64_t parameters);

}  // namespace gpt2::app
