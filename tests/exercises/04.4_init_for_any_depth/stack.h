#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "common/nn/layers.h"

// A branch of a block: LayerNorm, a Linear layer to `width` channels, and one back. Attention is such a
// branch if there is only one position.
struct Branch : gpt2::nn::Module {
  Branch(gpt2::nn::Module* parent, std::string name, int64_t C, int64_t width)
      : gpt2::nn::Module(parent, std::move(name)),
        ln(this, "ln", C),
        in(this, "in", C, width),
        out(this, "out", width, C) {}

  gpt2::Tensor operator()(const gpt2::Tensor& x) const { return out(in(ln(x))); }

  gpt2::nn::LayerNorm ln;
  gpt2::nn::Linear in, out;
};

// Three branches, as in the decoder of Vaswani et al. 2017: self-attention, attention to the encoder, and the
// feed-forward net. Each adds to the stream.
struct Block : gpt2::nn::Module {
  Block(gpt2::nn::Module* parent, std::string name, int64_t C)
      : gpt2::nn::Module(parent, std::move(name)),
        attention(this, "attention", C, C),
        cross_attention(this, "cross_attention", C, C),
        mlp(this, "mlp", C, 4 * C) {}

  gpt2::Tensor operator()(gpt2::Tensor x) const {
    x = x + attention(x);
    x = x + cross_attention(x);
    return x + mlp(x);
  }

  Branch attention, cross_attention, mlp;
};

// Embedding, L blocks, and a head that may share the embedding's matrix.
struct Stack : gpt2::nn::Module {
  Stack(int64_t vocab_size, int64_t C, int64_t L, bool tied)
      : n_layer(L),
        wte(this, "wte", vocab_size, C),
        blocks(this, "blocks", L, C),
        lm_head(this, "lm_head", C, vocab_size, gpt2::nn::Linear::Bias::no) {
    if (tied) lm_head.weight = wte.weight;
    apply([this](gpt2::nn::Module& module) { init_weights(module); });
  }

  // Called for each module of the tree. To be written.
  void init_weights(gpt2::nn::Module& module);

  // The stream behind the last block, (T) ids -> (T, C).
  gpt2::Tensor stream(const gpt2::Tensor& ids) {
    gpt2::Tensor x = wte(ids);
    for (Block& block : blocks) x = block(x);
    return x;
  }

  int64_t n_layer;
  gpt2::nn::Embedding wte;
  gpt2::nn::ModuleList<Block> blocks;
  gpt2::nn::Linear lm_head;
};
