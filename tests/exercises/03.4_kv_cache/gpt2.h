// The model of steps/03_sampling/gpt2.h, with slots for keys and values.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/nn/layers.h"
#include "common/tensor/random.h"

using namespace gpt2;

struct GPTConfig {
  int64_t block_size, vocab_size, n_layer, n_head, n_embd;
};

// The keys and values of one layer for the positions so far: (B, n_head, positions, head size). Undefined if
// there are none.
struct Slot {
  Tensor k, v;
};
using Cache = std::vector<Slot>;  // one for each layer

// a (B, n_head, P, hs) and b (B, n_head, T, hs), any strides -> (B, n_head, P + T, hs). If a is undefined,
// the result is a copy of b.
Tensor joined(const Tensor& a, const Tensor& b);

struct CausalSelfAttention : nn::Module {
  const GPTConfig config;
  nn::Linear c_attn{this, "c_attn", config.n_embd, 3 * config.n_embd};
  nn::Linear c_proj{this, "c_proj", config.n_embd, config.n_embd};

  CausalSelfAttention(nn::Module* parent, std::string name, const GPTConfig& config)
      : nn::Module(parent, std::move(name)), config(config) {}

  // x (B, T, C): the T positions behind those in the slot. Appends their keys and values to the slot. T may
  // be above 1 only if the slot is empty.
  Tensor operator()(const Tensor& x, Slot& slot);
};

struct MLP : nn::Module {
  const GPTConfig config;
  nn::Linear c_fc{this, "c_fc", config.n_embd, 4 * config.n_embd};
  nn::Linear c_proj{this, "c_proj", 4 * config.n_embd, config.n_embd};

  MLP(nn::Module* parent, std::string name, const GPTConfig& config)
      : nn::Module(parent, std::move(name)), config(config) {}

  Tensor operator()(const Tensor& x) { return c_proj(gelu(c_fc(x))); }
};

struct Block : nn::Module {
  const GPTConfig config;
  nn::LayerNorm ln_1{this, "ln_1", config.n_embd};
  CausalSelfAttention attn{this, "attn", config};
  nn::LayerNorm ln_2{this, "ln_2", config.n_embd};
  MLP mlp{this, "mlp", config};

  Block(nn::Module* parent, std::string name, const GPTConfig& config)
      : nn::Module(parent, std::move(name)), config(config) {}

  Tensor operator()(Tensor x, Slot& slot) {
    x = x + attn(ln_1(x), slot);
    x = x + mlp(ln_2(x));
    return x;
  }
};

struct Transformer : nn::Module {
  const GPTConfig config;
  nn::Embedding wte{this, "wte", config.vocab_size, config.n_embd};
  nn::Embedding wpe{this, "wpe", config.block_size, config.n_embd};
  nn::ModuleList<Block> h{this, "h", config.n_layer, config};
  nn::LayerNorm ln_f{this, "ln_f", config.n_embd};

  Transformer(nn::Module* parent, std::string name, const GPTConfig& config)
      : nn::Module(parent, std::move(name)), config(config) {}
};

struct GPT : nn::Module {
  const GPTConfig config;
  Transformer transformer{this, "transformer", config};
  nn::Linear lm_head{this, "lm_head", config.n_embd, config.vocab_size, nn::Linear::Bias::no};

  explicit GPT(const GPTConfig& config) : config(config) {}

  // idx (B, T): the ids of the T positions behind those in the cache -> the logits of the last position, (B,
  // vocab_size). The cache has n_layer slots.
  Tensor operator()(const Tensor& idx, Cache& cache);
};

// Adds `count` ids to each row of x (B, T), as step 03 does: top-k 50, temperature 1.
Tensor generate(GPT& model, Tensor x, int64_t count, Generator& generator);
