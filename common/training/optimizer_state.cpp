#include "common/training/optimizer_state.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <string_view>
#include <utility>

#include "common/base/error.h"
#include "common/base/finite.h"

namespace gpt2::training {
namespace {

using optim::Range;

constexpr const char* kParts = "parts";  // in the metadata: "0:16384 32768:49152", values of the block

std::string to_text(const std::vector<Range>& parts) {
  std::string text;
  for (const Range& part : parts)
    text += fmt::format("{}{}:{}", text.empty() ? "" : " ", part.begin, part.end);
  return text;
}

// Reads a number and what follows it from the beginning of `text`.
bool take(std::string_view& text, int64_t& number, std::string_view end) {
  const auto [after, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return false;
  text.remove_prefix(size_t(after - text.data()));
  if (text.empty()) return end == " ";
  const bool ends = text.starts_with(end);
  text.remove_prefix(1);
  return ends;
}

// The parts of a file, in ascending order, of `n` values together; a file without them has the whole block.
std::vector<Range> parts_of(const SafetensorsFile& file, int64_t n, const std::string& where) {
  const auto found = file.metadata().find(kParts);
  if (found == file.metadata().end()) return {{0, n}};
  std::vector<Range> parts;
  int64_t values = 0, end = 0;
  for (std::string_view text = found->second; !text.empty();) {
    Range part{};
    const bool is_part = take(text, part.begin, ":") && take(text, part.end, " ") && part.begin >= end &&
                         part.end > part.begin;
    require(is_part, "{}: its parts are damaged", where);
    parts.push_back(part);
    values += part.size();
    end = part.end;
  }
  require(values == n, "{}: its parts have {} values, but its tensors {}", where, values, n);
  return parts;
}

const SafetensorsEntry& entry_of(const SafetensorsFile& file, const std::string& name,
                                 const std::string& checkpoint) {
  const auto& entries = file.entries();
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.name == name; });
  require(found != entries.end() && found->shape.size() == 1, "{}: its optimizer has no {}", checkpoint,
          name);
  return *found;
}

// Copies values [from, from + n) of the entry to [to, to + n) of the block, piece by piece: a copy of all of them might not
// fit into memory.
void copy_values(const SafetensorsEntry& entry, int64_t from, const Tensor& block, int64_t to, int64_t n) {
  constexpr int64_t kPiece = int64_t{1} << 22;
  std::vector<float> values;
  for (int64_t at = 0; at < n; at += kPiece) {
    const int64_t size = std::min(kPiece, n - at);
    values.resize(size_t(size));
    read_finite(entry.slice(from + at, size), values);
    copy_(block.as_strided({size}, {1}, to + at), from_vector(values, {size}, block.device()));
  }
}

// Copies what a file and this rank have in common. Returns it.
std::vector<Range> copy_common(const SafetensorsFile& file, const std::string& name, const Tensor& block,
                               const optim::Partition& partition, const std::string& checkpoint) {
  const SafetensorsEntry& entry = entry_of(file, name, checkpoint);
  std::vector<Range> common;
  int64_t in_file = 0;
  for (const Range& theirs : parts_of(file, entry.numel(), entry.file)) {
    int64_t kept = 0;
    for (const Range& ours : partition.parts()) {
      const Range both{std::max(theirs.begin, ours.begin), std::min(theirs.end, ours.end)};
      if (both.size() > 0) {
        copy_values(entry, in_file + both.begin - theirs.begin, block, kept + both.begin - ours.begin,
                    both.size());
        common.push_back(both);
      }
      kept += ours.size();
    }
    in_file += theirs.size();
  }
  return common;
}

// Whether each of `parts` is covered by `ranges`.
bool are_covered(const std::vector<Range>& parts, std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  return std::all_of(parts.begin(), parts.end(), [&](const Range& part) {
    int64_t covered = part.begin;
    for (const Range& range : ranges) {
      if (range.begin <= covered) covered = std::max(covered, range.end);
    }
    return covered >= part.end;
  });
}

}  // namespace

std::string optimizer_file(int rank, int world_size) {
  return world_size == 1 ? "optimizer.safetensors"
                         : fmt::format("optimizer_{:05}_of_{:05}.safetensors", rank + 1, world_size);
}

bool is_optimizer_file(const std::string& name) {
  return name == "optimizer.safetensors" ||
         (name.starts_with("optimizer_") && name.ends_with(".safetensors"));
}

uint64_t write_optimizer(const optim::AdamW& optimizer, const std::string& path) {
  std::vector<SafetensorsEntry> entries;
  std::vector<std::vector<float>> copies;  // of a GPU's values
  for (const auto& [name, block] : optimizer.blocks()) {
    const bool is_on_host = block.device() == kCpu;
    if (!is_on_host) copies.push_back(block.to_vector<float>());
    const std::span<const float> values =
        is_on_host ? std::span<const float>(block.data<float>(), size_t(block.numel())) : copies.back();
    std::string words = name;  // "first moment"
    std::replace(words.begin(), words.end(), '_', ' ');
    require_finite(values, "AdamW's " + words);
    entries.push_back({name, "F32", block.shape(), std::as_bytes(values), ""});
  }
  SafetensorsMetadata metadata = {{"format", "pt"}};
  if (optimizer.partition().world_size() > 1) metadata[kParts] = to_text(optimizer.partition().parts());
  return write_safetensors(path, entries, metadata);
}

void read_optimizer(const optim::AdamW& optimizer, const std::vector<SafetensorsFile>& files,
                    const std::string& checkpoint) {
  const optim::Partition& partition = optimizer.partition();
  for (const auto& [name, block] : optimizer.blocks()) {
    std::vector<Range> copied;
    for (const SafetensorsFile& file : files) {
      const auto common = copy_common(file, name, block, partition, checkpoint);
      copied.insert(copied.end(), common.begin(), common.end());
    }
    require(are_covered(partition.parts(), copied), "{}: its optimizer's {} has not all {} values",
            checkpoint, name, partition.block_size());
  }
  for (const SafetensorsFile& file : files) file.require_unwritten();
}

}  // namespace gpt2::training
