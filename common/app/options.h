// The flags that several steps share, in groups; each flag has one meaning in every step that has it. A step derives its
// own Options from a group and adds what is new in its chapter.
//
// since 01_module
#pragma once

#include <optional>
#include <string>

#include "common/app/program.h"
#include "common/tensor/device.h"

namespace gpt2::app {

// The flags of every step. Steps before 04 do not train and ignore --steps.
struct Options {
  std::string device_name = "auto";
  std::string model = "tiny";
  std::string data = "tales";
  std::string tokenizer;  // empty: the model directory's own, or byte
  std::string log;
  uint64_t seed = 1337;
  int64_t steps = 50;
  int64_t batch = 0, seq = 0;  // 0: the default for this model and device

  void add_to(CommandLine& flags);

  // The device to run on. Throws if it does not exist.
  Device device() const { return parse_device(device_name); }

  // B and T of a batch for a model with this block size. Throws if --seq is longer than the block size.
  struct BatchShape {
    int64_t B, T;
  };
  BatchShape batch_shape(int64_t block_size) const;
};

// The flags of every step that trains.   since 04_overfit
struct TrainingOptions : Options {
  bool overfit = false, count = false;

  void add_to(CommandLine& flags);
};

// How GPT-3 was trained (Brown et al. 2020, appendix B).   since 10_adamw
struct RecipeOptions {
  double max_lr = 6e-4;
  std::optional<double> min_lr;  // none: a tenth of max_lr
  int64_t warmup = 10;           // steps
  double beta2 = 0.95, weight_decay = 0.1, grad_clip = 1;

  void add_to(CommandLine& flags);
};

}  // namespace gpt2::app
