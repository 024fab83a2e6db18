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
#include <functional>
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
  // ids (rows, T) -> logits (rows, T, Vp), contiguous, float or bf16
  using Model = std::function<Tensor(const Tensor& ids)>;

  struct Score {
    int64_t items = 0, correct = 0, correct_norm = 0;  // norm: by the mean
  };

  struct Prediction {
    int64_t item;         // its place in the file, from 0
    int label;            // the right ending
    int by_sum, by_mean;  // the model's
  };

  // Of the file's items the share of one rank: every world-th. A model reads at most block_size tokens. Where
  // a context and its longest ending are more, all four rows lose the same beginning of the context, so that
  // they are still compared on equal terms; where nothing of the context would be left, the item is skipped.
  HellaSwag(const std::string& path, const Tokenizer& tokenizer, int64_t block_size, int rank = 0,
            int world = 1);

  // Scores this rank's items. As many rows at once as have max_tokens, or one item. The model is called
  // without a tape; its logits' first vocab_size columns count. Fails if a loss is not finite.
  Score evaluate(const Model& model, int64_t vocab_size, int64_t max_tokens, Device device);

  // Of the last evaluation, in the file's order.
  const std::vector<Prediction>& predictions() const { return predictions_; }

  int64_t truncated() const { return truncated_; }  // of this rank's items
  int64_t skipped() const { return skipped_; }

 private:
  struct Row {
    std::vector<int32_t> ids;
    int64_t context = 0;  // how many of them
  };
  struct Item {
    int64_t number;
    int label;
    std::array<Row, 4> rows;
    int64_t longest = 0;
  };
  static Item render(const HellaSwagItem& item, int64_t number, const Tokenizer& tokenizer);
  size_t batch_end(size_t begin, int64_t max_tokens) const;
  void evaluate_batch(std::span<const Item> items, const Model& model, int64_t vocab_size, Device device);

  int64_t block_size_;
  std::vector<Item> items_;  // shortest first: little padding
  std::vector<Prediction> predictions_;
  int64_t truncated_ = 0, skipped_ = 0;
};

}  // namespace gpt2
