// A training of a tiny model, for the tests of checkpoints.
#pragma once

#include <memory>
#include <vector>

#include "common/nn/layers.h"
#include "common/nn/pretrained.h"
#include "common/ops/ops.h"
#include "common/text/tokenizer.h"
#include "common/training/checkpoint.h"

namespace step12 {
#include "steps/12_ddp/gpt2.h"
}

namespace gpt2::testing {

// A tiny model in training: 257 tokens in 384 rows, two heads of 32 channels.
struct Training {
  step12::GPT model{{16, 257, 2, 2, 64}};
  std::unique_ptr<optim::AdamW> optimizer;
  TokenLoader loader{text_source(ids()), {.B = 2, .T = 8}};
  std::unique_ptr<Tokenizer> tokenizer = make_tokenizer("byte", "");
  training::CheckpointSetup setup{config(), *tokenizer, {{"--seed", 1337}, {"ranks", 1}}};

  Training() {
    model.to(kCpu);
    optimizer = std::make_unique<optim::AdamW>(model, optim::AdamWOptions{});
  }
  static HfConfig config() {
    HfConfig config;
    config.vocab_size = 257;
    config.n_positions = 16;
    config.n_embd = 64;
    config.n_layer = config.n_head = 2;
    return config;
  }
  static std::vector<int32_t> ids() {
    std::vector<int32_t> ids;
    for (int i = 0; i < 200; ++i) ids.push_back(i * i % 257);
    return ids;
  }
  training::TrainingState state() { return {model, *optimizer, loader}; }
  double step() {
    const auto [x, y] = loader.next_batch();
    optimizer->zero_grad();
    const auto [logits, loss] = model(x, y);
    loss.backward();
    optimizer->step();
    return loss.item();
  }
};

}  // namespace gpt2::testing
