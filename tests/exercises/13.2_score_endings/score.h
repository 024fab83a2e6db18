#pragma once

#include <array>
#include <vector>

#include "common/ops/ops.h"

// A context with four endings, as token ids; there is at least one of each.
struct Item {
  std::vector<int32_t> context;
  std::array<std::vector<int32_t>, 4> endings;
  std::array<int64_t, 4> bytes;  // length of each ending's text
  int label;                     // index of the right ending
};

// The cross entropy of an ending's tokens, given the context: in sum, per token, and per byte of text.
struct EndingLoss {
  double sum, per_token, per_byte;
};
using ItemLosses = std::array<EndingLoss, 4>;

// The losses of an item's endings. Row e of the batch that the model got is the context, then ending e, then
// padding up to T tokens. logits (4, T, V): those at position t are for the token at position t + 1.
ItemLosses ending_losses(const Item& item, const gpt2::Tensor& logits);

// The shares of items whose right ending has the smallest sum, loss per token, loss per byte.
struct Accuracy {
  double acc, acc_norm, acc_bytes;
};
Accuracy accuracy(const std::vector<Item>& items, const std::vector<ItemLosses>& losses);
