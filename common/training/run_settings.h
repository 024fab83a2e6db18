// What identifies a run: its resolved settings, its data, its build.
//
// Checkpoints store them and --resume compares them; ranks compare them before step 0. They are compared
// after defaults and paths are resolved, so an explicit default or a relative path makes no difference.
//
// since 13_fineweb
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/app/command_line.h"
#include "common/data/token_loader.h"
#include "common/nn/hf_config.h"
#include "common/text/tokenizer.h"

namespace gpt2::training {

using RunSettings = nlohmann::ordered_json;  // name -> value, always in the same order

// Returns the folder of the model that --model names: of a run's folder, its newest checkpoint.
std::string model_folder(const std::string& model);

// Returns a digest of the configuration and the weights in a model's folder, whatever the files of the weights are
// called. Throws if there are none.
std::string model_identity(const std::string& folder);

// Returns a digest of the running program's file, which depends on its sources, compiler and flags.
std::string build_identity();

// Returns a description of a --data source: "tales, 4000000 tokens, digest 0123456789abcdef".
std::string to_text(const SourceIdentity& source);

// The value of --val-data if a part of --data is kept for validation.
inline constexpr const char* kLastTenth = "the last tenth of --data";

// The value of weights if --model names a checkpoint of the run itself.
inline constexpr const char* kOwnWeights = "the run's own";

// The names are those of the flags; device, ranks, threads, build and weights have no "--". --data and --val-data hold
// the loaders' sources, --hellaswag the file's digest, --attention the kernels in use, weights the digest of the files
// that --model DIR names (null: new weights). Every rank computes its own settings, without communication.
RunSettings run_settings(const app::CommandLine& flags, const HfConfig& model, const Tokenizer& tokenizer,
                         const TokenLoader& loader, int64_t grad_accum_steps,
                         const std::optional<TokenLoader>& val_loader = {});

}  // namespace gpt2::training
