// What identifies a run: its resolved settings, its data, its build.
//
// Checkpoints store them and --resume compares them; ranks compare them before step 0. They are compared
// after defaults and paths are resolved, so an explicit default or a relative path makes no difference.
//
// since 13_fineweb
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "common/app/command_line.h"
#include "common/data/token_loader.h"
#include "common/nn/hf_config.h"
#include "common/text/tokenizer.h"

namespace gpt2::training {

using RunSettings = nlohmann::ordered_json;  // name -> value, always in the same order

// Returns a digest of the running program's file, which depends on its sources, compiler and flags.
std::string build_identity();

// Returns a description of a --data source: "tales, 4000000 tokens, digest 0123456789abcdef".
std::string to_text(const SourceIdentity& source);

// The names are those of the flags; device, ranks, threads and build have no "--". --data holds the loader's
// sources, --attention the kernels in use. Every rank computes its own settings, without communication.
RunSettings run_settings(const app::CommandLine& flags, const HfConfig& model, const Tokenizer& tokenizer,
                         const TokenLoader& loader, int64_t grad_accum_steps);

}  // namespace gpt2::training
