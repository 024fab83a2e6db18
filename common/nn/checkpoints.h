// The checkpoints in the folder of a run: OUT/step_000123 is the Hugging Face directory after 123 steps.
//
// since 02_hf_weights
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace gpt2::nn {

// Returns the paths of the complete checkpoints in `out`, oldest first; empty if the folder does not exist.
std::vector<std::string> checkpoints_in(const std::string& out);

// Returns the step in a checkpoint's name, which is step_ and the number in at least six digits; nullopt for any other
// name.
std::optional<int64_t> step_of(const std::string& path);

// Compares the files of a checkpoint that a model is loaded from (all but the optimizer's) with their digests in
// state.json. Throws if one differs or was added, or if the folder is named after another step; the message names it. A
// folder without such digests is accepted.
// since 13_fineweb
void require_undamaged(const std::string& folder);

// Throws if the folder has a file that a model or a tokenizer would be read from and that is not in state.json's `files`,
// which maps names to digests.   since 13_fineweb
void require_no_others(const std::string& folder, const nlohmann::json& files);

// Throws unless the file has this digest, as to_hex() writes it (common/base/digest.h).   since 13_fineweb
void require_digest(const std::string& path, const nlohmann::json& digest);

}  // namespace gpt2::nn
