#include "common/eval/hellaswag.h"

#include <algorithm>
#include <cmath>
#include <cstring>
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

HellaSwagTokens tokens_of(const HellaSwagItem& item, const Tokenizer& tokenizer) {
  HellaSwagTokens tokens{.context = tokenizer.encode(item.context), .endings = {}, .label = item.label};
  for (size_t i = 0; i < 4; ++i) tokens.endings[i] = tokenizer.encode(" " + item.endings[i]);
  return tokens;
}

constexpr int32_t kLlmcMagic = 20240522, kLlmcVersion = 1;
constexpr int64_t kGpt2Vocab = 50257;
using LlmcHeader = std::array<int32_t, 256>;

// The uint16 of llm.c's file, from front to back.
class LlmcItems {
 public:
  LlmcItems(std::span<const std::byte> bytes, int64_t vocab_size, const std::string& name)
      : bytes_(bytes), vocab_size_(vocab_size), name_(name) {}

  HellaSwagTokens next() {
    const size_t begin = at_;
    require_value(0xffff, "the beginning");
    const uint16_t bytes = value();
    require_value(uint16_t(number_ % 0x10000), "the number");
    HellaSwagTokens item;
    item.label = value();
    require(item.label < 4, "{}: the label of item {} is {}, not 0, 1, 2 or 3", name_, number_, item.label);
    require_value(4, "the number of endings");
    item.context = ids("context");
    for (auto& ending : item.endings) ending = ids("ending");
    require(at_ - begin == bytes,
            "{}: item {} says that it has {} bytes, but it has {}; write the file again", name_, number_,
            bytes, at_ - begin);
    ++number_;
    return item;
  }

  bool at_end() const { return at_ == bytes_.size(); }

 private:
  uint16_t value() {
    uint16_t result = 0;
    require(bytes_.size() - at_ >= sizeof result, "{}: the file ends within item {}; copy it again", name_,
            number_);
    std::memcpy(&result, &bytes_[at_], sizeof result);
    at_ += sizeof result;
    return result;
  }

  void require_value(uint16_t expected, const char* what) {
    const uint16_t found = value();
    require(found == expected, "{}: {} of item {} is {}, not {}; write the file again", name_, what, number_,
            found, expected);
  }

  std::vector<int32_t> ids(const char* what) {
    std::vector<int32_t> result(value());
    require(!result.empty(), "{}: an empty {} in item {}", name_, what, number_);
    for (int32_t& id : result) {
      id = value();
      require(id < vocab_size_, "{}: token {} in item {} is outside the vocabulary ({})", name_, id, number_,
              vocab_size_);
    }
    return result;
  }

  std::span<const std::byte> bytes_;
  int64_t vocab_size_;
  const std::string& name_;
  size_t at_ = 0;
  int64_t number_ = 0;
};

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

bool is_llmc_hellaswag(std::span<const std::byte> file) {
  int32_t magic = 0;
  if (file.size() < sizeof magic) return false;
  std::memcpy(&magic, file.data(), sizeof magic);
  return magic == kLlmcMagic;
}

std::vector<HellaSwagTokens> parse_llmc_hellaswag(std::span<const std::byte> file, int64_t vocab_size,
                                                  const std::string& name) {
  LlmcHeader header;
  require(file.size() >= sizeof header, "{}: the file ends within its header; copy it again", name);
  std::memcpy(header.data(), file.data(), sizeof header);
  require(header[0] == kLlmcMagic && header[1] == kLlmcVersion,
          "{}: numbers {} and {} at its beginning; llm.c's HellaSwag items begin with {} and version {}",
          name, header[0], header[1], kLlmcMagic, kLlmcVersion);
  require(header[2] >= 1, "{}: its header says {} items; write the file again", name, header[2]);
  LlmcItems reader(file.subspan(sizeof header), vocab_size, name);
  std::vector<HellaSwagTokens> items;
  for (int32_t i = 0; i < header[2]; ++i) items.push_back(reader.next());
  require(reader.at_end(), "{}: more bytes follow the {} items that its header says; write the file again",
          name, header[2]);
  return items;
}

HellaSwag::Item HellaSwag::render(const HellaSwagTokens& item, int64_t number) {
  Item rendered{.number = number, .label = item.label, .rows = {}};
  for (size_t i = 0; i < 4; ++i) {
    Row& row = rendered.rows[i];
    row = {item.context, int64_t(item.context.size())};
    row.ids.insert(row.ids.end(), item.endings[i].begin(), item.endings[i].end());
    rendered.longest = std::max(rendered.longest, int64_t(row.ids.size()));
  }
  return rendered;
}

HellaSwag::HellaSwag(const std::string& path, const Tokenizer& tokenizer, int64_t block_size, int rank,
                     int world)
    : block_size_(block_size) {
  const std::string text = read_text_file(path, kAnySize);
  const auto bytes = std::as_bytes(std::span(text));
  if (is_llmc_hellaswag(bytes)) {
    require(tokenizer.base_size() == kGpt2Vocab,
            "{}: llm.c's items are GPT-2's token ids, but the tokenizer has {} ids; give --tokenizer "
            "data/gpt2, or "
            "HellaSwag's text",
            path, tokenizer.base_size());
    const std::vector<HellaSwagTokens> all = parse_llmc_hellaswag(bytes, kGpt2Vocab, path);
    for (int64_t number = rank; number < int64_t(all.size()); number += world)
      add(render(all[size_t(number)], number));
  } else {
    const std::vector<HellaSwagItem> all = parse_hellaswag(text, path);
    for (int64_t number = rank; number < int64_t(all.size()); number += world)
      add(render(tokens_of(all[size_t(number)], tokenizer), number));
  }
  std::stable_sort(items_.begin(), items_.end(),
                   [](const Item& a, const Item& b) { return a.longest < b.longest; });
}

void HellaSwag::add(Item item) {
  const int64_t excess = std::max<int64_t>(item.longest - block_size_, 0);
  if (excess >= item.rows[0].context) {
    ++skipped_;
    return;
  }
  if (excess > 0) ++truncated_;
  for (Row& row : item.rows) {
    row.ids.erase(row.ids.begin(), row.ids.begin() + excess);
    row.context -= excess;
  }
  item.longest -= excess;
  items_.push_back(std::move(item));
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
