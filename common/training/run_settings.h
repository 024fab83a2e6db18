// What makes a run the run that it is: its settings as the program resolved them, its data, its build.
//
// Checkpoints store them and --resume compares them; ranks compare them before step 0. A default that was given
// explicitly, or a relative path instead of an absolute one, makes no difference: only what was resolved is here.
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

// The program that runs, as a digest of its file: its sources, compiler and flags are all in its bytes.
std::string build_identity();

// One source of --data, for people: "tales, 4000000 tokens, digest 0123456789abcdef".
std::string to_text(const SourceIdentity& source);

// The names are those of the flags; device, ranks, threads and build have no "--". --data are the loader's sources, and
// --attention is the current kernels. Every rank computes its own settings, without communication.
RunSettings run_settings(const app::CommandLine& flags, const HfConfig& model, const Tokenizer& tokenizer,
                         const TokenLoader& loader, int64_t grad_accum_steps);

}  // namespace gpt2::training
