// Checkpoints: everything that a run needs to resume as if it had never stopped.
//
// OUT/step_000123 is a Hugging Face directory that transformers and --model can open. Beside the weights it
// holds the tokenizer's files, the optimizer's state (optimizer_state.h), and state.json: the step, the
// position in the data, the settings of the run, and digests of all files. It is written under a hidden name,
// synced, and renamed. So every folder named step_* is complete, no matter when the run was killed.
//
// It stores no random number generator: the data order and the dropout masks follow from the seed and the
// step.
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
#include "common/nn/pretrained.h"
#include "common/optim/adamw.h"
#include "common/text/tokenizer.h"
#include "common/training/optimizer_state.h"
#include "common/training/outliers.h"
#include "common/training/run_settings.h"

namespace gpt2::training {

// The parts of a run that are saved and restored.
struct TrainingState {
  nn::Module& model;
  optim::AdamW& optimizer;
  TokenLoader& loader;
  Outliers* outliers = nullptr;  // null: no step is skipped
};

// The contents of a checkpoint that stay the same in all steps.
struct CheckpointSetup {
  HfConfig config;
  const Tokenizer& tokenizer;
  RunSettings settings;
  std::vector<SourceIdentity> val_data = {};  // of the validation loader
  nlohmann::ordered_json log = {};            // app::Log::extents() when the checkpoint is written
};

// Returns the setup of a run that trains on this loader's batches, `grad_accum_steps` per optimizer step and
// rank, and is measured on those of `val_loader`, if there is one.
inline CheckpointSetup checkpoint_setup(const app::CommandLine& flags, const HfConfig& config,
                                        const Tokenizer& tokenizer, const TokenLoader& loader,
                                        int64_t grad_accum_steps,
                                        const std::optional<TokenLoader>& val_loader) {
  return {config, tokenizer, run_settings(flags, config, tokenizer, loader, grad_accum_steps, val_loader),
          val_loader ? val_loader->identities() : std::vector<SourceIdentity>{}};
}

using nn::checkpoints_in;
using nn::step_of;

// Which checkpoints are kept: the `newest` last ones, and those whose step is a multiple of `every` (0:
// none).
struct Keep {
  int64_t newest = 1, every = 0;
};

// Writes the optimizer's state into a folder, all ranks together. Returns the digests of the files. If empty, this
// process alone has the whole state.
using WriteOptimizer = std::function<std::map<std::string, uint64_t>(const std::string& folder)>;

// The folder in which a checkpoint is written before it gets its name.
std::string half_written(const std::string& out, int64_t step);

// Writes out/step_000123 with the state after `step` steps, then removes older checkpoints that are not kept.
// Whatever has that name already is set aside. Returns its path. Calls `before_rename` with that path when everything is on disk, just before the rename.
// Throws if a weight or a moment is not finite. After an error the existing checkpoints are unchanged.
std::string save_checkpoint(const std::string& out, int64_t step, const Keep& keep,
                            const TrainingState& state, const CheckpointSetup& setup,
                            const std::function<void(const std::string& path)>& before_rename = {},
                            const WriteOptimizer& write_optimizer = {});

// A checkpoint whose files are open and were compared with their digests: what was compared is what is loaded, even if
// other files get their names.
struct OpenCheckpoint {
  std::string path;
  nlohmann::json state;  // read_state()
  nn::OpenModel model;
  std::vector<SafetensorsFile> optimizer;
};

// Throws if a file differs from its digest; the message names it.
OpenCheckpoint open_checkpoint(const std::string& path);

// Restores weights, moments and the position in the data. Returns the checkpoint's step. Throws if a file was written to
// since it was opened.
int64_t load_checkpoint(const OpenCheckpoint& checkpoint, const TrainingState& state);

// Renames the file or folder to PATH.unused, or PATH.unused2 and so on. Returns the new path.
std::string set_aside(const std::string& path);

// Sets aside everything named like a checkpoint after `step`, because a run that resumes at `step` writes its own.
// Returns the new paths.
std::vector<std::string> set_aside_after(const std::string& out, int64_t step);

// Creates the folder `out` if it does not exist. Throws if it is not empty and `resume` is false, or if it is
// not writable.
void make_out(const std::string& out, bool resume);

// Removes the incomplete files of a killed run.
void remove_half_written(const std::string& out);

// Throws if the disk of `out` is too full for `more` checkpoints of a model with this many parameters.
void require_room(const std::string& out, int64_t more, int64_t parameters);

}  // namespace gpt2::training
