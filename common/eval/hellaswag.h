// HellaSwag (Zellers et al. 2019): each item has a context and four endings, one of which is correct. A model
// that completes text chooses the ending to which it assigns the lowest loss.
//
// The file has one item per line, {"ctx": ..., "endings": [four], "label": 0..3, ...}, or all items in one
// array; or it is llm.c's .bin, which has the items as GPT-2's token ids. As in the video, an ending is encoded with a
// space before it, and only its own tokens count. Endings are compared by the mean of their cross entropies (acc_norm, the published number) and by the sum (acc),
// which favours short endings.
//
// since 13_fineweb
#pragma once

#include <array>
#include <cstddef>
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
  int label = 0;  // index of the correct ending
};

// Returns the items in the text of a file: JSON objects, one per line or in one array. The label is a number
// or a string ("3"). Throws if an item is invalid; the message gives the file and the number of the line (or
// item).
std::vector<HellaSwagItem> parse_hellaswag(std::string_view text, const std::string& name);

// The same as token ids. An ending's first token has the space before it.
struct HellaSwagTokens {
  std::vector<int32_t> context;
  std::array<std::vector<int32_t>, 4> endings;
  int label = 0;
};

// Returns whether a file with these bytes is llm.c's .bin.
bool is_llmc_hellaswag(std::span<const std::byte> file);

// Returns the items of llm.c's .bin: 256 int32 (the magic number 20240522, version 1, the number of items), then for
// each item uint16: 65535, its bytes, its number, the label, 4, and five times a length and as many ids (the context,
// the endings). Throws if the file is invalid, or an id is not below `vocab_size`; messages begin with `name`.
std::vector<HellaSwagTokens> parse_llmc_hellaswag(std::span<const std::byte> file, int64_t vocab_size,
                                                  const std::string& name);

class HellaSwag {
 public:
  struct Score {
    int64_t items = 0, correct = 0, correct_norm = 0;  // correct: by the sum; correct_norm: by the mean
  };

  struct Prediction {
    int64_t item;         // index in the file, from 0
    int label;            // the correct ending
    int by_sum, by_mean;  // the ending with the smallest sum and the smallest mean of its tokens' losses
  };

  // A context with each of its four endings, as token ids.
  struct Row {
    std::vector<int32_t> ids;
    int64_t context = 0;  // number of ids that belong to the context
  };
  struct Item {
    int64_t number;  // index in the file, from 0
    int label;
    std::array<Row, 4> rows;
    int64_t longest = 0;
  };

  // n items of similar length, as 4n rows of T ids; shorter rows are padded with id 0.
  struct Batch {
    std::span<const Item> items;
    int64_t T;

    // (4n, T) ids on this device.
    Tensor tokens(Device device) const;

    // Returns the model's choice for each item. `logits` are the model's output for tokens(): contiguous (4n,
    // T, Vp), float or bf16; only the first vocab_size columns count. Throws if a loss is not finite.
    std::vector<Prediction> predictions(const Tensor& logits, int64_t vocab_size) const;
  };

  // Reads this rank's share of the items in a file: every world-th item. Throws if the file has GPT-2's token ids and
  // the tokenizer is another. A model reads at most block_size
  // tokens. If a context and its longest ending are longer, the same tokens at the start of the context are
  // cut in all four rows, so that the rows stay comparable. If no token of the context would be left, the
  // item is skipped.
  HellaSwag(const std::string& path, const Tokenizer& tokenizer, int64_t block_size, int rank = 0,
            int world = 1);

  // Returns all items of this rank in batches of at most max_tokens tokens; a longer item is a batch of its
  // own. The batches refer to this object and must not outlive it.
  std::vector<Batch> batches(int64_t max_tokens) const;

  int64_t num_items() const { return int64_t(items_.size()); }
  int64_t truncated() const { return truncated_; }  // items of this rank whose context was cut
  int64_t skipped() const { return skipped_; }

 private:
  static Item render(const HellaSwagTokens& item, int64_t number);
  void add(Item item);

  int64_t block_size_;
  std::vector<Item> items_;  // shortest first, so that batches need little padding
  int64_t truncated_ = 0, skipped_ = 0;
};

}  // namespace gpt2
