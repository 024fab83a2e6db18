#include "common/data/documents.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "common/base/json.h"
#include "common/base/text_file.h"
#include "common/data/file_kind.h"

namespace gpt2 {
namespace {

constexpr size_t kNone = std::string::npos;

std::string beginning_of_text(const std::string& path) {
  std::string beginning(kBeginningBytes, '\0');
  beginning.resize(open_text(path)->read(beginning));
  return beginning;
}

// Whether a file's name, without .gz or .zst, ends in .jsonl (or .txt).
bool is_json_lines(const std::string& path) {
  std::string_view name = path;
  for (const std::string_view packed : {".gz", ".zst"}) {
    if (name.ends_with(packed)) name.remove_suffix(packed.size());
  }
  const bool is_packed = name.size() < path.size(),
             is_named = name.ends_with(".txt") || name.ends_with(".jsonl");
  const std::string kind =
      is_packed && is_named ? "" : binary_kind(path);  // the decompressors check compressed files
  require(kind.empty(), "{}: {}", path, kind);
  require(
      is_named,
      "{}: neither .txt nor .jsonl, nor one of these packed as .gz or .zst; a corpus is made of such files",
      path);
  if (name.ends_with(".jsonl")) return true;
  const std::string kind_of_text = kind_unless_text(path, beginning_of_text(path));
  require(!kind_of_text.starts_with("JSON"),
          "{}: JSON, not text; if each line is an object with a \"text\", let the name end in .jsonl", path);
  require(kind_of_text.empty(), "{}: {}", path, kind_of_text);
  return false;
}

bool is_graphic(char c) { return c > ' ' && c <= '~'; }

int32_t separator_of(const Tokenizer& tokenizer) {
  const auto separator = tokenizer.end_of_text();
  require(separator.has_value(), "the tokenizer has no {}, which begins a document", kEndOfText);
  return *separator;
}

class Encoder {
 public:
  explicit Encoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer), separator_(separator_of(tokenizer)) {}

  // A document, or the part of it in this block.
  void add(std::string_view text, bool begins_document) {
    if (text.empty()) return;
    if (begins_document) ids_.push_back(separator_);
    const std::vector<int32_t> encoded = tokenizer_.encode(text);
    ids_.insert(ids_.end(), encoded.begin(), encoded.end());
  }
  std::vector<int32_t> ids() { return std::move(ids_); }

 private:
  const Tokenizer& tokenizer_;
  int32_t separator_;
  std::vector<int32_t> ids_;
};

void add_text(Encoder& encoder, std::string_view text, bool begins_document) {
  for (;;) {
    const size_t end = text.find(kEndOfText);
    encoder.add(text.substr(0, end), begins_document);
    if (end == kNone) return;
    text.remove_prefix(end + kEndOfText.size());
    begins_document = true;
  }
}

void add_json_line(Encoder& encoder, std::string_view line, const std::string& where) {
  const nlohmann::json object = parse_json(line, where);
  require(object.is_object() && object.contains("text") && object["text"].is_string(),
          "{}: not an object with a \"text\"; each line is one document", where);
  encoder.add(object["text"].get_ref<const std::string&>(), /*begins_document=*/true);
}

}  // namespace

BlockReader::BlockReader(std::string path, BlockStart start, size_t block_bytes)
    : path_(std::move(path)),
      json_lines_(is_json_lines(path_)),
      input_(open_text(path_)),
      start_(start),
      block_bytes_(block_bytes) {
  skip_to_start();
}

// Skips the text before the start. Throws unless a block can begin there: the position may come from an
// edited file.
void BlockReader::skip_to_start() {
  std::string skipped, piece(1 << 20, ' ');
  int64_t line = 1;
  for (int64_t left = start_.offset; left > 0;) {
    const size_t n = input_->read(std::span(piece).first(size_t(std::min(left, int64_t(piece.size())))));
    require(n > 0, "{}: ends before byte {}, up to which it was read before; was it changed?", path_,
            start_.offset);
    left -= int64_t(n);
    line += json_lines_ ? std::count(piece.begin(), piece.begin() + int64_t(n), '\n') : 0;
    skipped =
        skipped.substr(skipped.size() - std::min(skipped.size(), kEndOfText.size())) + piece.substr(0, n);
  }
  const bool begins_line = skipped.empty() || skipped.back() == '\n';
  const bool begins_document = skipped.empty() || json_lines_ || skipped.ends_with(kEndOfText);
  require(start_.offset >= 0 && line == start_.line && (begins_line || !json_lines_) &&
              begins_document == start_.begins_document,
          "{}: no block begins at byte {}, line {}; was the file changed, or the place edited?", path_,
          start_.offset, start_.line);
}

// The end of the first block: the last cut in the buffer that is not before `from`, or kNone.
size_t BlockReader::find_cut(size_t from) const {
  if (json_lines_) {
    const std::string_view unsearched = std::string_view(buffer_).substr(from);
    const size_t end = unsearched.rfind('\n');
    return end == kNone ? kNone : from + end + 1;
  }
  for (size_t at = buffer_.size(); at-- > std::max<size_t>(from, 1);) {
    const bool single = buffer_[at] == ' ' && at + 1 < buffer_.size();
    if (single && is_graphic(buffer_[at - 1]) && is_graphic(buffer_[at + 1])) return at;
  }
  return kNone;
}

bool BlockReader::next(Block& block) {
  size_t cut = kNone, searched = 0;
  while (!ended_ && cut == kNone) {
    const size_t before = buffer_.size();
    buffer_.resize(before + block_bytes_);
    const size_t n = input_->read(std::span(buffer_).subspan(before));
    buffer_.resize(before + n);
    ended_ = n == 0;
    if (!ended_) cut = find_cut(searched);
    searched = before + n - std::min<size_t>(before + n, 2);  // to see both neighbours of a last space
  }
  if (buffer_.empty()) return false;
  block = {path_, json_lines_, start_, buffer_.substr(0, cut)};
  buffer_.erase(0, block.text.size());
  start_.offset += int64_t(block.text.size());
  start_.line += json_lines_ ? std::count(block.text.begin(), block.text.end(), '\n') : 0;
  start_.begins_document = json_lines_ || block.text.ends_with(kEndOfText);
  return true;
}

std::vector<int32_t> encode_block(const Tokenizer& tokenizer, const Block& block) {
  Encoder encoder(tokenizer);
  std::string_view rest = block.text;
  if (block.start.offset == 0) rest = skip_byte_order_mark(rest, block.file);
  if (!block.json_lines) {
    add_text(encoder, with_unix_lines(rest), block.start.begins_document);
    return encoder.ids();
  }
  int64_t number = block.start.line;
  for (; !rest.empty(); ++number) {
    const std::string_view line = take_line(rest);
    const bool blank = line.find_first_not_of(" \t\r") == kNone;
    if (!blank) add_json_line(encoder, line, fmt::format("{}, line {}", block.file, number));
  }
  return encoder.ids();
}

}  // namespace gpt2
