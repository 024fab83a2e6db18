// The flags that every step accepts, with one meaning. A step that does not train has no use for --steps.
//
// since 01_module
#pragma once

#include <string>

#include "common/app/program.h"
#include "common/tensor/context.h"
#include "common/tensor/device.h"
#include "common/tensor/dtype.h"

namespace gpt2::app {

struct Options {
  std::string device = "auto";
  std::string model = "tiny";
  std::string data = "tales";
  std::string tokenizer;  // empty: the model directory's own, or byte
  std::string log;
  uint64_t seed = 1337;
  int64_t steps = 50;
  int64_t batch = 0, seq = 0;  // 0: what suits model and device

  void add_to(CommandLine& flags);

  // The device to run on; fails if there is no such.
  Device on() const { return parse_device(device); }

  // B and T of a batch, for a model with this block size. Fails if --seq is longer than that.
  struct BatchShape {
    int64_t B, T;
  };
  BatchShape batch_shape(int64_t block_size) const;
};

// What --dtype says: bf16 or fp32. On a processor without instructions for bf16 a line on the terminal says so.
DType autocast_dtype(const std::string& name, Device device);

// What --attention says; by default cuDNN's kernels where there are any. Fails if they are asked for and absent.
AttentionKernels attention_kernels(const std::string& name, Device device, DType dtype);

// The tokens of an optimizer step on all ranks together: `given`, or if that is 0 a default (tiny: 3072, else 524288),
// rounded up to a multiple of what all ranks do at once, B x T x ranks. Throws if `given` is not a multiple of it.
int64_t total_batch(const std::string& model, int64_t given, Options::BatchShape shape, int ranks);

// The number of micro-batches of each rank in an optimizer step of total_batch() tokens.
int64_t micro_batches(const Options& options, int64_t given, Options::BatchShape shape, int ranks = 1);

// What --matmul-precision says.
MatmulPrecision matmul_precision(const std::string& name);

// True if --model names a Hugging Face directory rather than a size.
bool is_directory(const std::string& model);

}  // namespace gpt2::app
