// Checkpoints: all that a run needs to go on as if it had never been stopped.
//
// OUT/step_000123 is a Hugging Face directory, which transformers and --model open as it is, with the
// tokenizer's files, the optimizer's moments (optimizer.safetensors), and step, place in the data, settings of the run
// and digests of all of it (state.json) beside the weights. It is written under a hidden name, synced, and
// renamed, so that whatever bears the name step_ is complete, whenever the run was killed.
//
// No random number belongs to it: the order of the data and dropout's masks follow from seed and step.
//
// since 13_fineweb
#pragma once

#include <functional>
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
#include "common/training/run_settings.h"

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
  RunSettings settings;
};

// The setup of a run on the batches of this loader, `grad_accum_steps` of them in an optimizer step of each rank.
inline CheckpointSetup checkpoint_setup(const app::CommandLine& flags, const HfConfig& config,
                                        const Tokenizer& tokenizer, const TokenLoader& loader,
                                        int64_t grad_accum_steps) {
  return {config, tokenizer, run_settings(flags, config, tokenizer, loader, grad_accum_steps)};
}

using nn::checkpoints_in;
using nn::step_of;

// Which checkpoints stay: the newest, and those whose step is a multiple of `every`, unless that is 0.
struct Keep {
  int64_t newest = 1, every = 0;
};

// Writes out/step_000123 for the state after that many steps, then removes older ones that do not stay. Returns its path.
// `before_rename` is called with that path when all is on the disk, and only the name is missing.
// Throws if a weight or a moment is not finite. After an error the checkpoints are those that there were before.
std::string save_checkpoint(const std::string& out, int64_t step, const Keep& keep,
                            const TrainingState& state, const CheckpointSetup& setup,
                            const std::function<void(const std::string& path)>& before_rename = {});

// Restores weights, moments and place in the data; `saved` is the checkpoint's verified_state(). Returns its step.
int64_t load_checkpoint(const std::string& path, const nlohmann::json& saved, const TrainingState& state);

// Renames the checkpoints after `step` to step_000123.unused: a run that goes on from an older one writes its own.
// Returns the new paths.
std::vector<std::string> set_aside_after(const std::string& out, int64_t step);

// Makes the folder `out`, if it is new. Throws if there is something in it, unless this is to `resume`, and if nothing
// can be written there.
void make_out(const std::string& out, bool resume);

// Removes what a killed run left half-written.
void remove_half_written(const std::string& out);

// Throws if `out` does not have the room for `more` checkpoints of a model with this many parameters.
void require_room(const std::string& out, int64_t more, int64_t parameters);

}  // namespace gpt2::training
