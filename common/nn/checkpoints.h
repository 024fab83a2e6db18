// The checkpoints in the folder of a run: OUT/step_000123 is the Hugging Face directory after 123 steps.
//
// since 02_hf_weights
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/base/digest.h"

namespace gpt2::nn {

// Returns the paths of the complete checkpoints in `out`, oldest first; empty if the folder does not exist.
std::vector<std::string> checkpoints_in(const std::string& out);

// Returns the step in a checkpoint's name, which is step_ and the number in at least six digits; nullopt for any other
// name.
std::optional<int64_t> step_of(const std::string& path);

// Returns the digests of a checkpoint's files, from its state.json; none for a folder without them. Throws if a file was
// added that would be read, or if the folder is named after another step.   since 13_fineweb
FileDigests digests_in(const std::string& folder);

// The same from the content of a state.json.
FileDigests digests_of(const nlohmann::json& state);

// Compares the files of a checkpoint that a model is loaded from (all but the optimizer's) with their digests in
// state.json. Throws if one differs or was added, or if the folder is named after another step; the message names it. A
// folder without such digests is accepted.
// since 13_fineweb
void require_undamaged(const std::string& folder);

// Throws if the folder has a file that a model or a tokenizer would be read from and that is not among `files`.
// since 13_fineweb
void require_no_others(const std::string& folder, const FileDigests& files);

}  // namespace gpt2::nn
