// HellaSwag (Zellers et al. 2019): a context and four endings, of which one goes on as the world does. A
// model that only completes text picks the ending that surprises it least.
//
// The file has one item a line: {"ctx": ..., "endings": [four], "label": 0..3, ...}, or all items in one array. As in the video an
// ending is encoded with a space before it, and only its own tokens count: by the mean of their cross
// entropy, which is what is published (acc_norm), and by the sum (acc), which favours short endings.
//
// since 13_fineweb
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/tensor/tensor.h"
#include "common/text/tokenizer.h"

namespace gpt2 {

struct HellaSwagItem {
  std::string context;
  std::array<std::string, 4> endings;
  int label = 0;  // of the right one
};

// Returns the items of a file's text: JSON objects, one a line or in one array, the label a number or text ("3").
// Throws on an invalid item; the message gives file and line (or item) number.
std::vector<HellaSwagItem> parse_hellaswag(std::string_view text, const std::string& name);

class HellaSwag {
 public:
  struct Score {
    int64_t items = 0, correct = 0, correct_norm = 0;  // norm: by the mean
  };

  struct Prediction {
    int64_t item;         // index in the file, from 0
    int label;            // the right ending
    int by_sum, by_mean;  // the ending with the smallest sum and the smallest mean of its tokens' losses
  };

  // A context with each of its four endings, as token ids.
  struct Row {
    std::vector<int32_t> ids;
    int64_t context = 0;  // how many of the ids belong to the context
  };
  struct Item {
    int64_t number;  // index in the file, from 0
    int label;
    std::array<Row, 4> rows;
    int64_t longest = 0;
  };

  // n items of similar length, as 4n rows of T ids; rows that are shorter are padded with id 0.
  struct Batch {
    std::span<const Item> items;
    int64_t T;

    // (4n, T) ids on this device.
    Tensor tokens(Device device) const;

    // The model's choice for each item, from its logits for these tokens: contiguous (4n, T, Vp), float or bf16, of
    // which the first vocab_size columns count. Throws if a loss is not finite.
    std::vector<Prediction> predictions(const Tensor& logits, int64_t vocab_size) const;
  };

  // One rank's share of the file's items: every world-th. A model reads at most block_size tokens. If a context with
  // its longest ending is longer, all four rows lose the same tokens at the beginning of the context, so that they are
  // still compared on equal terms; if nothing of the context would be left, the item is skipped.
  HellaSwag(const std::string& path, const Tokenizer& tokenizer, int64_t block_size, int rank = 0,
            int world = 1);

  // All items of this rank in batches of at most max_tokens tokens, or of one item. They refer to this object.
  std::vector<Batch> batches(int64_t max_tokens) const;

  int64_t num_items() const { return int64_t(items_.size()); }
  int64_t truncated() const { return truncated_; }  // items of this rank whose context was cut
  int64_t skipped() const { return skipped_; }

 private:
  static Item render(const HellaSwagItem& item, int64_t number, const Tokenizer& tokenizer);

  int64_t block_size_;
  std::vector<Item> items_;  // shortest first: little padding
  int64_t truncated_ = 0, skipped_ = 0;
};

}  // namespace gpt2
