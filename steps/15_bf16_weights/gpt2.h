// GPT-2, as in the video at 28:08: the modules, and the weights of a Hugging Face checkpoint.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>

#include "common/nn/hf_config.h"
#include "common/nn/layers.h"
#include "common/nn/pretrained.h"
#include "common/ops/dropout.h"

using namespace gpt2;

struct GPTConfig {
  int64_t block_size = 1024;   // longest sequence
  int64_t vocab_size = 50257;  // 50,000 merges, 256 bytes, <|endoftext|>
  int64_t n_layer = 12;
  int64_t n_head = 12;
  int64_t n_embd = 768;
  double layer_norm_epsilon = 1e-5;
  bool tie_word_embeddings = true;

  int64_t padded_vocab_size() const { return (vocab_size + 127) / 128 * 128; }  // 50304 = 393 * 128
};

// The configuration for a --model name. The tiny model has its tokenizer's vocabulary, the others GPT-2's.
inline GPTConfig config_named(const std::string& model, int64_t tokenizer_vocab) {
  const int64_t vocab = std::max<int64_t>(50257, tokenizer_vocab);
  if (model == "tiny") return {256, tokenizer_vocab, 4, 4, 128};             //   0.8M parameters
  if (model == "baby") return {256, tokenizer_vocab, 6, 6, 384};             //   10.7M, nanoGPT's
  if (model == "gpt2" || model == "d12") return {1024, vocab, 12, 12, 768};  //  124M
  if (model == "gpt2-medium") return {1024, vocab, 24, 16, 1024};            //  350M
  if (model == "gpt2-large") return {1024, vocab, 36, 20, 1280};             //  774M
  if (model == "gpt2-xl") return {1024, vocab, 48, 25, 1600};                // 1558M
  fail("--model {}: no such folder; expected tiny, baby, gpt2, gpt2-medium, gpt2-large, gpt2-xl or d12",
       model);
}

// Reads the configuration from a Hugging Face directory's config.json.
inline GPTConfig config_from(const std::string& directory) {
  const HfConfig hf = read_hf_config(directory);
  return {hf.n_positions,        hf.vocab_size,         hf.n_layer, hf.n_head, hf.n_embd,
          hf.layer_norm_epsilon, hf.tie_word_embeddings};
}

// The inverse, for the config.json of a checkpoint.
inline HfConfig hf_config(const GPTConfig& config, std::optional<int64_t> end_of_text) {
  return {.vocab_size = config.vocab_size,
          .n_positions = config.block_size,
          .n_embd = config.n_embd,
          .n_layer = config.n_layer,
          .n_head = config.n_head,
          .layer_norm_epsilon = config.layer_norm_epsilon,
          .activation_function = "gelu_new",
          .tie_word_embeddings = config.tie_word_embeddings,
          .eos_token_id = end_of_text};
}

struct CausalSelfAttention : nn::Module {
  const GPTConfig config;                                               // first: the members below read it
  nn::Linear c_attn{this, "c_attn", config.n_embd, 3 * config.n_embd};  // q, k, v of all heads at once
  nn::Linear c_proj{this, "c_proj", config.n_embd, config.n_embd};

  CausalSelfAttention(nn::Module* parent, std::string name, const GPTConfig& config)
      : nn::Module(parent, std::move(name)), config(config) {}

  Tensor operator()(const Tensor& x) {
    const auto [B, T, C] = x.sizes<3>();
    const int64_t nh = config.n_head, hs = C / nh;
    auto [q, k, v] = split<3>(c_attn(x), /*dim=*/2);  // each (B, T, C)
    q = q.view({B, T, nh, hs}).transpose(1, 2);       // (B, nh, T, hs)
    k = k.view({B, T, nh, hs}).transpose(1, 2);       // (B, nh, T, hs)
    v = v.view({B, T, nh, hs}).transpose(1, 2);       // (B, nh, T, hs)

    Tensor y = scaled_dot_product_attention(q, k, v);    // (B, nh, T, hs), no T x T in memory
    y = y.transpose(1, 2).contiguous().view({B, T, C});  // heads side by side again
    return c_proj(y);
  }
};

struct MLP : nn::Module {
  const GPTConfig config;
  nn::Linear c_fc{this, "c_fc", config.n_embd, 4 * config.n_embd};
  nn::Linear c_proj{this, "c_proj", 4 * config.n_embd, config.n_embd};

  MLP(nn::Module* parent, std::string name, const GPTConfig& config)
      : nn::Module(parent, std::move(name)), config(config) {}

  Tensor operator()(const Tensor& x) {
    return mlp(x, c_fc.weight, c_fc.bias, c_proj.weight, c_proj.bias);  // GELU fused into the products
  }
};

struct Block : nn::Module {
  const GPTConfig config;
  nn::LayerNorm ln_1{this, "ln_1", config.n_embd, config.layer_norm_epsilon};
  CausalSelfAttention attn{this, "attn", config};
  nn::LayerNorm ln_2{this, "ln_2", config.n_embd, config.layer_norm_epsilon};
  MLP mlp{this, "mlp", config};

  Block(nn::Module* parent, std::string name, const GPTConfig& config)
      : nn::Module(parent, std::move(name)), config(config) {}

  // x is the residual stream; update is the output of the layer before, not yet added to x. Each LayerNorm
  // adds the update while it reads the stream. The next block adds the update that a block returns.
  std::pair<Tensor, Tensor> operator()(const Tensor& x, const Tensor& update) {
    const auto [x_attn, normed_attn] = ln_1(x, update);  // x + update, and its LayerNorm
    const auto [x_mlp, normed_mlp] = ln_2(x_attn, dropout(attn(normed_attn)));
    return {x_mlp, dropout(mlp(normed_mlp))};
  }
};

struct Transformer : nn::Module {
  const GPTConfig config;
  nn::Embedding wte{this, "wte", config.padded_vocab_size(), config.n_embd};
  nn::Embedding wpe{this, "wpe", config.block_size, config.n_embd};
  nn::ModuleList<Block> h{this, "h", config.n_layer, config};
  nn::LayerNorm ln_f{this, "ln_f", config.n_embd, config.layer_norm_epsilon};

  Transformer(nn::Module* parent, std::string name, const GPTConfig& config)
      : nn::Module(parent, std::move(name)), config(config) {}
};

struct GPT : nn::Module {
  const GPTConfig config;
  Transformer transformer{this, "transformer", config};
  nn::Linear lm_head{this, "lm_head", config.n_embd, config.padded_vocab_size(), nn::Linear::Bias::no};

  explicit GPT(const GPTConfig& config) : config(config) {
    if (config.tie_word_embeddings) transformer.wte.weight = lm_head.weight;  // one matrix for both
    apply([this](nn::Module& module) { init_weights(module); });
  }

  // Weights from N(0, 0.02), biases 0. The 2 n_layer layers that add to the residual stream start smaller, so
  // that their sum has the standard deviation of one layer's output.
  void init_weights(nn::Module& module) {
    if (auto* linear = dynamic_cast<nn::Linear*>(&module)) {
      const double std = linear->name() == "c_proj" ? 0.02 / std::sqrt(2.0 * double(config.n_layer)) : 0.02;
      nn::init::normal_(linear->weight, 0, std);
      if (linear->bias.defined()) nn::init::constant_(linear->bias, 0);
    } else if (auto* embedding = dynamic_cast<nn::Embedding*>(&module)) {
      nn::init::normal_(embedding->weight, 0, 0.02);
    }
  }

  // ids (B, T), each below vocab_size -> logits (B, T, padded_vocab_size)
  Tensor padded_logits(const Tensor& idx) {
    const auto [B, T] = idx.sizes<2>();
    require(T <= config.block_size, "a sequence of {} tokens is longer than the block size {}", T,
            config.block_size);
    const Tensor pos = arange(T, idx.device());   // (T)
    const Tensor pos_emb = transformer.wpe(pos);  // (T, n_embd)
    const Tensor tok_emb = transformer.wte(idx);  // (B, T, n_embd)
    Tensor x = tok_emb, update = pos_emb;
    for (Block& block : transformer.h) std::tie(x, update) = block(x, update);
    const auto [x_final, normed] = transformer.ln_f(x, update);
    return lm_head(normed);  // (B, T, padded_vocab_size)
  }

  // The logits without the padding columns, (B, T, vocab_size): padded ids must never be sampled.
  Tensor operator()(const Tensor& idx) { return padded_logits(idx).slice(-1, 0, config.vocab_size); }

  // The same, plus the mean cross entropy of the targets (B, T), the next id for each id in idx. While
  // gradients are recorded, the loss takes the memory of the logits, and they can no longer be read.
  std::pair<Tensor, Tensor> operator()(const Tensor& idx, const Tensor& targets) {
    const Tensor logits = padded_logits(idx);
    return {logits, fused_cross_entropy(logits, targets, config.vocab_size)};
  }
};
