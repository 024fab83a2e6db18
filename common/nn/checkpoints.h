// The checkpoints in the folder of a run: OUT/step_000123 is the Hugging Face directory after 123 steps.
//
// since 02_hf_weights
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gpt2::nn {

// Returns the paths of the complete checkpoints in `out`, oldest first; empty if the folder does not exist.
std::vector<std::string> checkpoints_in(const std::string& out);

// Returns the step in a checkpoint's name, which is step_ and at least six digits; nullopt for any other
// name.
std::optional<int64_t> step_of(const std::string& path);

}  // namespace gpt2::nn
