// The flags of the steps. Each struct adds its chapter's flags to the struct before. A flag has the same
// meaning in every step that has it.
//
// since 01_module
#pragma once

#include <optional>
#include <string>

#include "common/app/program.h"
#include "common/tensor/context.h"
#include "common/tensor/device.h"
#include "common/tensor/dtype.h"

namespace gpt2::app {

// The flags of every step. Steps before 04 do not train and ignore --steps.
struct Options {
  std::string device_name = "auto";
  std::string model = "tiny";
  std::string data = "tales";
  std::string tokenizer;       // empty: the model directory's own, or byte
  bool special_tokens = true;  // in texts and prompts: read as tokens, or as ordinary text
  std::string log;
  uint64_t seed = 1337;
  int64_t steps = 50;
  int64_t batch = 0, seq = 0;  // 0: the default for this model and device

  void add_to(CommandLine& flags);

  // Returns the device to run on. Throws if it does not exist.
  Device device() const { return parse_device(device_name); }

  // Returns B and T of a batch for a model with this block size. Throws if --seq is longer than the block
  // size.
  struct BatchShape {
    int64_t B, T;
  };
  BatchShape batch_shape(int64_t block_size) const;
};

// The flags that each chapter adds to those of the chapters before.

struct TrainingOptions : Options {  // since 04_overfit
  bool overfit = false, count = false;

  void add_to(CommandLine& flags);
};

struct PrecisionOptions : TrainingOptions {  // since 05_tf32
  MatmulPrecision matmul_precision = MatmulPrecision::high;

  void add_to(CommandLine& flags);
};

struct AutocastOptions : PrecisionOptions {  // since 06_bf16
  DType dtype = DType::bf16;                 // for matrix products

  void add_to(CommandLine& flags);
};

struct AttentionOptions : AutocastOptions {   // since 08_flash_attention
  std::optional<AttentionKernels> attention;  // none: cuDNN's if available, else ours
  bool deterministic = false;

  void add_to(CommandLine& flags);
};

// The defaults are GPT-3's (Brown et al. 2020, appendix B).
struct RecipeOptions : AttentionOptions {  // since 10_adamw
  double max_lr = 6e-4;
  std::optional<double> min_lr;  // none: max_lr / 10
  int64_t warmup = 10;           // steps
  double beta2 = 0.95, weight_decay = 0.1, grad_clip = 1;

  void add_to(CommandLine& flags);
};

struct AccumulationOptions : RecipeOptions {  // since 11_grad_accum
  int64_t total_batch = 0;                    // tokens per optimizer step; 0: the model's default

  void add_to(CommandLine& flags);
};

struct RankOptions : AccumulationOptions {  // since 12_ddp
  int64_t rendezvous_port = 0;              // 0: MASTER_PORT + 1

  void add_to(CommandLine& flags);
};

}  // namespace gpt2::app
