#pragma once

#include <string>
#include <utility>

#include "common/nn/layers.h"

// Causal self-attention with n_head heads; given. (B, T, C) -> (B, T, C)
struct Attention : gpt2::nn::Module {
  Attention(gpt2::nn::Module* parent, std::string name, int64_t C, int64_t n_head)
      : gpt2::nn::Module(parent, std::move(name)),
        n_head(n_head),
        qkv(this, "qkv", C, 3 * C),
        proj(this, "proj", C, C) {}

  gpt2::Tensor operator()(const gpt2::Tensor& x) const {
    const auto [B, T, C] = x.sizes<3>();
    const auto [q, k, v] = gpt2::split<3>(qkv(x), 2);  // each (B, T, C)
    const auto heads = [&, B = B, T = T, C = C](const gpt2::Tensor& part) {
      return part.view({B, T, n_head, C / n_head}).transpose(1, 2);  // (B, nh, T, hs)
    };
    const gpt2::Tensor y = gpt2::scaled_dot_product_attention(heads(q), heads(k), heads(v));
    return proj(y.transpose(1, 2).contiguous().view({B, T, C}));
  }

  int64_t n_head;
  gpt2::nn::Linear qkv, proj;
};

struct FeedForward : gpt2::nn::Module {
  FeedForward(gpt2::nn::Module* parent, std::string name, int64_t C, int64_t hidden)
      : gpt2::nn::Module(parent, std::move(name)), fc(this, "fc", C, hidden), proj(this, "proj", hidden, C) {}

  gpt2::Tensor operator()(const gpt2::Tensor& x) const;  // (..., C) -> (..., C)

  gpt2::nn::Linear fc, proj;
};

struct Block : gpt2::nn::Module {
  Block(gpt2::nn::Module* parent, std::string name, int64_t C, int64_t n_head, int64_t hidden, double gain)
      : gpt2::nn::Module(parent, std::move(name)),
        gain(gain),
        ln_1(this, "ln_1", C),
        attention(this, "attention", C, n_head),
        ln_2(this, "ln_2", C),
        feed_forward(this, "feed_forward", C, hidden) {}

  gpt2::Tensor operator()(gpt2::Tensor x) const;  // (B, T, C) -> (B, T, C)

  double gain;  // the factor of both branches
  gpt2::nn::LayerNorm ln_1;
  Attention attention;
  gpt2::nn::LayerNorm ln_2;
  FeedForward feed_forward;
};
