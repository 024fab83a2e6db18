#include "common/eval/hellaswag.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/base/json.h"
#include "common/data/file_kind.h"
#include "common/kernels/fused_cross_entropy.h"
#include "common/ops/dispatch.h"

namespace gpt2 {
namespace {

using nlohmann::json;

// Returns the text in `value`. Throws if it is not a string or is empty.
std::string text_of(const json& value, const char* what, const std::string& where) {
  require(value.is_string() && !value.get_ref<const std::string&>().empty(), "{}: {} is not a text", where,
          what);
  return value.get<std::string>();
}

// The index of the right ending: 0 to 3, as a number or as text (the `datasets` library exports text).
int label_of(const json& value, const std::string& where) {
  require(value != "", "{}: its label is empty, as in HellaSwag's test set; give the validation set", where);
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  for (int label = 0; label < 4; ++label) {
    if (text == std::to_string(label) || text == fmt::format("{}.0", label)) return label;
  }
  fail("{}: its label is not 0, 1, 2 or 3", where);
}

HellaSwagItem parse_item(const json& object, const std::string& where) {
  require(
      object.is_object() && object.contains("ctx") && object.contains("endings") && object.contains("label"),
      "{}: not an item of HellaSwag, which has ctx, endings and label", where);
  const json& endings = object["endings"];
  require(endings.is_array() && endings.size() == 4, "{}: {} endings; an item of HellaSwag has 4", where,
          endings.is_array() ? endings.size() : 0);
  HellaSwagItem item{.context = text_of(object["ctx"], "ctx", where),
                     .endings = {},
                     .label = label_of(object["label"], where)};
  for (size_t i = 0; i < 4; ++i) item.endings[i] = text_of(endings[i], "an ending", where);
  return item;
}

// One item per line; blank lines are skipped.
std::vector<HellaSwagItem> parse_lines(std::string_view text, const std::string& name) {
  std::vector<HellaSwagItem> items;
  for (int64_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string where = fmt::format("{}, line {}", name, number);
    const bool blank = line.find_first_not_of(" \t\r") == line.npos;
    if (!blank) items.push_back(parse_item(parse_json(line, where), where));
  }
  return items;
}

// A JSON array of items, as Python's json.dump writes a list.
std::vector<HellaSwagItem> parse_array(std::string_view text, const std::string& name) {
  std::vector<HellaSwagItem> items;
  const json array = parse_json(text, name);
  for (const json& item : array)
    items.push_back(parse_item(item, fmt::format("{}, item {}", name, items.size() + 1)));
  return items;
}

// The cross entropy at each position of contiguous logits (rows, T, Vp), on the host.
std::vector<float> position_losses(const Tensor& logits, const Tensor& targets, int64_t vocab_size) {
  const int64_t Vp = logits.size(-1), n = targets.numel();
  require(logits.numel() == n * Vp && vocab_size <= Vp && logits.is_contiguous(),
          "hellaswag: logits are {}, the ids {}, the vocabulary {}", to_string(logits.shape()),
          to_string(targets.shape()), vocab_size);
  const Device device = logits.device();
  const Tensor loss = empty({}, device), losses = empty({n}, device);
  with_type(logits.dtype(), [&](auto t) {
    DISPATCH(device, fused_cross_entropy_forward, loss.data<float>(), losses.data<float>(),
             logits.data<decltype(t)>(), targets.data<int32_t>(), n, vocab_size, Vp);
  });
  return losses.to_vector<float>();
}

int index_of_smallest(const std::array<double, 4>& values) {
  return int(std::min_element(values.begin(), values.end()) - values.begin());
}

// Rounds up, so that there are few different shapes: each new shape of a matrix product has to be prepared.
int64_t padded(int64_t length, int64_t block_size) { return std::min((length + 15) / 16 * 16, block_size); }

}  // namespace

std::vector<HellaSwagItem> parse_hellaswag(std::string_view text, const std::string& name) {
  const std::string kind = binary_kind(name, text.substr(0, kBeginningBytes));
  require(kind.empty(), "{}: {}", name, kind);
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const size_t first = text.find_first_not_of(" \t\r\n");
  const bool is_array = first != text.npos && text[first] == '[';
  const std::vector<HellaSwagItem> items = is_array ? parse_array(text, name) : parse_lines(text, name);
  require(!items.empty(), "{}: the file is empty", name);
  return items;
}

HellaSwag::Item HellaSwag::render(const HellaSwagItem& item, int64_t number, const Tokenizer& tokenizer) {
  Item rendered{.number = number, .label = item.label, .rows = {}};
  const std::vector<int32_t> context = tokenizer.encode(item.context);
  for (size_t i = 0; i < 4; ++i) {
    Row& row = rendered.rows[i];
    row = {context, int64_t(context.size())};
    const std::vector<int32_t> ending = tokenizer.encode(" " + item.endings[i]);
    row.ids.insert(row.ids.end(), ending.begin(), ending.end());
    rendered.longest = std::max(rendered.longest, int64_t(row.ids.size()));
  }
  return rendered;
}

HellaSwag::HellaSwag(const std::string& path, const Tokenizer& tokenizer, int64_t block_size, int rank,
                     int world)
    : block_size_(block_size) {
  const std::vector<HellaSwagItem> all = parse_hellaswag(read_text_file(path, kAnySize), path);
  for (int64_t number = rank; number < int64_t(all.size()); number += world) {
    Item item = render(all[size_t(number)], number, tokenizer);
    const int64_t excess = std::max<int64_t>(item.longest - block_size, 0);
    if (excess >= item.rows[0].context) {
      ++skipped_;
      continue;
    }
    if (excess > 0) ++truncated_;
    for (Row& row : item.rows) {
      row.ids.erase(row.ids.begin(), row.ids.begin() + excess);
      row.context -= excess;
    }
    item.longest -= excess;
    items_.push_back(std::move(item));
  }
  std::stable_sort(items_.begin(), items_.end(),
                   [](const Item& a, const Item& b) { return a.longest < b.longest; });
}

std::vector<HellaSwag::Batch> HellaSwag::batches(int64_t max_tokens) const {
  std::vector<Batch> batches;
  for (size_t begin = 0, end = 0; begin < items_.size(); begin = end) {
    int64_t T = 0;
    do {
      T = padded(items_[end].longest, block_size_);
      ++end;
    } while (end < items_.size() &&
             4 * int64_t(end + 1 - begin) * padded(items_[end].longest, block_size_) <= max_tokens);
    batches.push_back({std::span(items_).subspan(begin, end - begin), T});
  }
  return batches;
}

Tensor HellaSwag::Batch::tokens(Device device) const {
  const int64_t rows = 4 * int64_t(items.size());
  std::vector<int32_t> ids(size_t(rows * T));
  for (int64_t r = 0; r < rows; ++r) {
    const Row& row = items[size_t(r / 4)].rows[size_t(r % 4)];
    std::copy(row.ids.begin(), row.ids.end(), ids.begin() + r * T);
  }
  return from_vector(ids, {rows, T}, device);
}

namespace {

// The id that follows each of tokens(). Losses after the end of a row are not used.
Tensor targets_of(const HellaSwag::Batch& batch, Device device) {
  std::vector<int32_t> ids = batch.tokens(kCpu).to_vector<int32_t>();
  ids.erase(ids.begin());
  ids.push_back(0);
  return from_vector(ids, {4 * int64_t(batch.items.size()), batch.T}, device);
}

}  // namespace

std::vector<HellaSwag::Prediction> HellaSwag::Batch::predictions(const Tensor& logits,
                                                                 int64_t vocab_size) const {
  const std::vector<float> losses = position_losses(logits, targets_of(*this, logits.device()), vocab_size);
  std::vector<Prediction> predictions;
  for (size_t i = 0; i < items.size(); ++i) {
    std::array<double, 4> sum{}, mean{};
    for (size_t e = 0; e < 4; ++e) {
      const Row& row = items[i].rows[e];
      const float* of_row = &losses[(4 * i + e) * size_t(T)];
      const int64_t n = int64_t(row.ids.size());
      for (int64_t t = row.context; t < n; ++t)
        sum[e] += double(of_row[t - 1]);  // the loss of predicting ids[t]
      mean[e] = sum[e] / double(n - row.context);
      require(std::isfinite(sum[e]), "hellaswag: the loss of item {} is not finite", items[i].number);
    }
    predictions.push_back({items[i].number, items[i].label, index_of_smallest(sum), index_of_smallest(mean)});
  }
  return predictions;
}

}  // namespace gpt2
