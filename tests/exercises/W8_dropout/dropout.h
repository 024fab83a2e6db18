#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/nn/layers.h"

// torch's nn.Dropout. One object serves a whole model, so that one flag turns all of it off.
struct DropoutLayer {
  double p = 0;  // the probability that a value becomes 0; 0 <= p < 1
  gpt2::Generator generator{1337};
  bool training = true;  // model.train() and model.eval() of torch

  // What went into each call and what came out, for the tests.
  struct Call {
    gpt2::Tensor in, out;
  };
  std::vector<Call> calls = {};
  bool keeps_calls = false;

  gpt2::Tensor operator()(const gpt2::Tensor& x) {
    const gpt2::Tensor y = drop(x);
    if (keeps_calls) calls.push_back({x.detach(), y.detach()});
    return y;
  }

  gpt2::Tensor drop(const gpt2::Tensor& x);  // to be written
};

// The hyperparameters of the lecture's script.
struct Sizes {
  int64_t vocab_size, block_size, n_layer, n_head, n_embd;
  double dropout;
};

// Those with which the lecture scales up, for this vocabulary. To be written.
Sizes scaled_up(int64_t vocab_size);

struct SelfAttention : gpt2::nn::Module {
  SelfAttention(gpt2::nn::Module* parent, std::string name, const Sizes& sizes, DropoutLayer* dropout)
      : gpt2::nn::Module(parent, std::move(name)),
        n_head(sizes.n_head),
        dropout(*dropout),
        qkv(this, "qkv", sizes.n_embd, 3 * sizes.n_embd),
        proj(this, "proj", sizes.n_embd, sizes.n_embd) {}

  gpt2::Tensor operator()(const gpt2::Tensor& x) const;  // (B, T, C) -> (B, T, C)

  int64_t n_head;
  DropoutLayer& dropout;
  gpt2::nn::Linear qkv, proj;
};

struct FeedForward : gpt2::nn::Module {
  FeedForward(gpt2::nn::Module* parent, std::string name, const Sizes& sizes, DropoutLayer* dropout)
      : gpt2::nn::Module(parent, std::move(name)),
        dropout(*dropout),
        fc(this, "fc", sizes.n_embd, 4 * sizes.n_embd),
        proj(this, "proj", 4 * sizes.n_embd, sizes.n_embd) {}

  gpt2::Tensor operator()(const gpt2::Tensor& x) const;  // (B, T, C) -> (B, T, C)

  DropoutLayer& dropout;
  gpt2::nn::Linear fc, proj;
};

struct Block : gpt2::nn::Module {
  Block(gpt2::nn::Module* parent, std::string name, const Sizes& sizes, DropoutLayer* dropout)
      : gpt2::nn::Module(parent, std::move(name)),
        ln_1(this, "ln_1", sizes.n_embd),
        attention(this, "attention", sizes, dropout),
        ln_2(this, "ln_2", sizes.n_embd),
        feed_forward(this, "feed_forward", sizes, dropout) {}

  gpt2::Tensor operator()(gpt2::Tensor x) const {
    x = x + attention(ln_1(x));
    return x + feed_forward(ln_2(x));
  }

  gpt2::nn::LayerNorm ln_1;
  SelfAttention attention;
  gpt2::nn::LayerNorm ln_2;
  FeedForward feed_forward;
};

struct Model : gpt2::nn::Module {
  explicit Model(const Sizes& sizes)
      : dropout{.p = sizes.dropout},
        tokens(this, "tokens", sizes.vocab_size, sizes.n_embd),
        positions(this, "positions", sizes.block_size, sizes.n_embd),
        blocks(this, "blocks", sizes.n_layer, sizes, &dropout),
        ln_f(this, "ln_f", sizes.n_embd),
        lm_head(this, "lm_head", sizes.n_embd, sizes.vocab_size) {}

  gpt2::Tensor operator()(const gpt2::Tensor& ids) {  // (B, T) -> (B, T, vocab_size)
    gpt2::Tensor x = tokens(ids) + positions(gpt2::arange(ids.size(1), gpt2::kCpu));
    for (Block& block : blocks) x = block(x);
    return lm_head(ln_f(x));
  }

  DropoutLayer dropout;
  gpt2::nn::Embedding tokens, positions;
  gpt2::nn::ModuleList<Block> blocks;
  gpt2::nn::LayerNorm ln_f;
  gpt2::nn::Linear lm_head;
};

// The loss of a batch without dropout and without recording. Leaves the model as it was. To be written.
double estimate_loss(Model& model, const gpt2::Tensor& x, const gpt2::Tensor& y);
