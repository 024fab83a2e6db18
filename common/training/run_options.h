// The flags of a long run: data, evaluation, checkpoints; and presets, each a name for a set of flags.
//
// since 13_fineweb
#pragma once

#include <string>

#include "common/app/program.h"
#include "common/data/token_loader.h"

namespace gpt2::training {

struct RunOptions {
  DataOrder order = DataOrder::shuffled;
  std::string program;  // its name
  std::string val_data, hellaswag, out, resume_from;
  int64_t val_every = 0, hellaswag_every = 0, sample_every = 0, checkpoint_every = 0;  // 0: never
  int64_t keep = 3, keep_every = 0;
  bool resume = false, resume_anyway = false;
  double dropout = 0;

  void add_to(app::CommandLine& flags);
};

}  // namespace gpt2::training
