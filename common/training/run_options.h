// The flags of a long run: data, evaluation, checkpoints; and presets, names for many flags at once.
//
// since 13_fineweb
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/app/program.h"
#include "common/data/token_loader.h"
#include "common/tensor/device.h"

namespace gpt2::training {

struct RunOptions {
  DataOrder order = DataOrder::shuffled;
  std::string val_data, hellaswag, out;
  int64_t val_every = 0, hellaswag_every = 0, sample_every = 0, checkpoint_every = 0;  // 0: never
  int64_t keep = 3, keep_every = 0;
  bool resume = false;
  double dropout = 0;

  void add_to(app::CommandLine& flags);
};

// What must be the same for a run to go on to the bit: the flags that change its course, the data, the processors.
nlohmann::json run_settings(const app::CommandLine& flags, int64_t num_tokens, Device device, int world_size);

}  // namespace gpt2::training
