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
#include <vector>

#include "common/app/program.h"
#include "common/data/shards.h"
#include "common/nn/hf_config.h"
#include "common/ops/attention.h"
#include "common/tensor/context.h"
#include "common/text/tokenizer.h"

namespace gpt2::training {

// What the program made of flags whose default depends on model, device and number of ranks.
struct Resolved {
  int64_t B, T, total_batch;  // sequences and tokens of a micro-batch, tokens of an optimizer step
  double min_lr;
  AttentionKernels attention;
  Device device;
  int ranks;
};

using RunSettings = nlohmann::ordered_json;  // name -> value, always in the same order

// The program that runs, as a digest of its file: its sources, compiler and flags are all in its bytes.
std::string build_identity();

// One source of --data, for people: "tales, 4000000 tokens, digest 0123456789abcdef".
std::string to_text(const SourceIdentity& source);

// The names are those of the flags; device, ranks, threads and build have no "--". `data` are the sources of --data.
// Every rank computes its own, without communication.
RunSettings run_settings(const app::CommandLine& flags, const Resolved& resolved, const HfConfig& model,
                         const Tokenizer& tokenizer, const std::vector<SourceIdentity>& data);

}  // namespace gpt2::training
