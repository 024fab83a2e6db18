// config.json of a Hugging Face GPT-2: the sizes of the model, and the options that change its arithmetic.
//
// The five sizes must be there; another missing option has the default of transformers' GPT2Config. If an option asks for arithmetic that this
// library does not have, the parser throws, and the message names the option. Options for training or
// generation (dropout, summaries, ...) are not read.
//
// since 02_hf_weights
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gpt2 {

struct HfConfig {
  int64_t vocab_size = 50257;
  int64_t n_positions = 1024;  // block size: maximum sequence length
  int64_t n_embd = 768;
  int64_t n_layer = 12;
  int64_t n_head = 12;  // divides n_embd
  double layer_norm_epsilon = 1e-5;
  std::string activation_function = "gelu_new";  // or another name of GELU's tanh approximation
  bool tie_word_embeddings = true;               // lm_head.weight is transformer.wte.weight
  std::optional<int64_t> eos_token_id;           // <|endoftext|>; transformers' generate() stops at it

  // nn::load turns the options below into weights of a model that has the defaults.
  std::optional<int64_t> n_inner = {};           // hidden channels of the MLP, if fewer than 4 n_embd
  bool scale_attn_weights = true;                // attention scores are divided by sqrt(n_embd / n_head)
  bool scale_attn_by_inverse_layer_idx = false;  // and by 1 in the first layer, by 2 in the second, ...

  bool operator==(const HfConfig&) const = default;
};

// Returns the configuration in the text of a config.json. Throws if it is invalid; the message begins with
// `where`.
HfConfig parse_hf_config(std::string_view json, const std::string& where);

// Returns the configuration of a Hugging Face directory, or of llm.c's model file (common/nn/llmc_model.h).
HfConfig read_hf_config(const std::string& directory);

// Returns a config.json that transformers' GPT2LMHeadModel and parse_hf_config can read. It always has the
// default attention scale, because nn::load multiplies any other scale into the weights.
std::string to_json(const HfConfig& config);

}  // namespace gpt2
