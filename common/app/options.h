// The flags that every step accepts, with one meaning. A step that does not train has no use for --steps.
//
// since 01_module
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/app/program.h"
#include "common/tensor/tensor.h"
#include "common/text/tokenizer.h"

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

// The text that this flag names: tales, the embedded corpus, or a file. Fails on an empty one.
std::string read_corpus(const std::string& data, const std::string& flag = "--data");

// The tokenizer that --tokenizer names, or by default the one beside the model's weights, or byte.
std::unique_ptr<Tokenizer> make_tokenizer(const Options& options, const std::string& corpus);

// The token ids in "464,3290". Fails on what is no id below `vocab_size`, naming the flag it came from.
std::vector<int32_t> parse_ids(const std::string& flag, const std::string& text, int64_t vocab_size);

// The token ids of a text, for a model with this vocabulary. Fails if the tokenizer has ids that it has not.
std::vector<int32_t> encode(const Tokenizer& tokenizer, const std::string& text, int64_t vocab_size);

// The first B x T token ids, on the device that runs -> (B, T). Fails if there are fewer.
Tensor first_batch(const Options& options, std::vector<int32_t> ids, int64_t block_size);

// What --dtype says: bf16 or fp32. On a processor without instructions for bf16 a line on the terminal says so.
DType autocast_dtype(const std::string& name, Device device);

// What --attention says; by default cuDNN's kernels where there are any. Fails if they are asked for and absent.
AttentionKernels attention_kernels(const std::string& name, Device device, DType dtype);

// How many micro-batches make up the tokens of --total-batch (0: tiny 3072, else 524288). Fails unless a whole number.
int64_t micro_batches(const Options& options, int64_t total_batch, int64_t tokens_of_micro_batch);

// What --matmul-precision says.
MatmulPrecision matmul_precision(const std::string& name);

// True if --model names a Hugging Face directory rather than a size.
bool is_directory(const std::string& model);

}  // namespace gpt2::app
