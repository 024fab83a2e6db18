// Checkpoints: all that a run needs to go on as if it had never been stopped.
//
// OUT/step_000123 is a Hugging Face directory, which transformers and --model open as it is, with the
// tokenizer's files, the optimizer's moments (optimizer.safetensors), and step, place in the data and
// settings of the run (state.json) beside the weights. It is written under a hidden name, synced, and
// renamed, so that whatever bears the name step_ is complete, whenever the run was killed.
//
// No random number belongs to it: the order of the data and dropout's masks follow from seed and step.
//
// since 13_fineweb
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/data/token_loader.h"
#include "common/nn/checkpoints.h"
#include "common/nn/hf_config.h"
#include "common/nn/module.h"
#include "common/optim/adamw.h"
#include "common/text/tokenizer.h"

namespace gpt2::training {

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
  nlohmann::ordered_json settings;  // run_settings(): name -> value
};

using nn::checkpoints_in;
using nn::step_of;

// Which checkpoints stay: the newest, and those whose step is a multiple of `every`, unless that is 0.
struct Keep {
  int64_t newest = 1, every = 0;
};

// Writes out/step_000123 for the state after that many steps, then removes those that do not stay. Returns its path.
// After an error the checkpoints are those that there were before.
std::string save_checkpoint(const std::string& out, int64_t step, const Keep& keep,
                            const TrainingState& state, const CheckpointSetup& setup);

// Restores what save_checkpoint wrote, and returns its step. Fails, naming it, if a setting was another.
int64_t load_checkpoint(const std::string& path, const TrainingState& state,
                        const nlohmann::ordered_json& settings);

// Makes the folder `out`, if it is new. Fails if there is something in it, unless this is to `resume`.
void make_out(const std::string& out, bool resume);

// Removes what a killed run left half-written.
void remove_half_written(const std::string& out);

// Fails if `out` has not the room for so many more checkpoints of a model of this size.
void require_room(const std::string& out, int64_t more, int64_t parameters);

}  // namespace gpt2::training
