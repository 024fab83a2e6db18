#include "common/data/safetensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "common/base/course_data.h"
#include "common/base/digest.h"
#include "common/base/error.h"
#include "common/base/finite.h"
#include "common/base/json.h"
#include "common/base/shell.h"

namespace gpt2 {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little,
              "the format's byte order is taken for the machine's");

constexpr uint64_t kMaxHeader = 100'000'000;  // the reference implementation's limit
constexpr const char* kDamaged = "the file is damaged or incomplete, download it again";
constexpr const char* kMetadata = "__metadata__";

// Bits per value of every dtype of the format; nullopt for any other name.
std::optional<int64_t> bits_of(const std::string& dtype) {
  static const std::map<std::string, int64_t> kBits = {
      {"BOOL", 8},    {"U8", 8},      {"I8", 8},          {"U16", 16},       {"I16", 16},    {"U32", 32},
      {"I32", 32},    {"U64", 64},    {"I64", 64},        {"F16", 16},       {"BF16", 16},   {"F32", 32},
      {"F64", 64},    {"C64", 64},    {"F4", 4},          {"F6_E2M3", 6},    {"F6_E3M2", 6}, {"F8_E5M2", 8},
      {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}};
  const auto found = kBits.find(dtype);
  return found == kBits.end() ? std::nullopt : std::optional(found->second);
}

// The number of bytes for a tensor of this shape with `bits` bits per value; nullopt on overflow, or if it is
// not a whole number.
std::optional<int64_t> byte_count(const std::vector<int64_t>& shape, int64_t bits) {
  int64_t total = bits;
  for (const int64_t size : shape)
    if (__builtin_mul_overflow(total, size, &total)) return std::nullopt;
  return total % 8 == 0 ? std::optional(total / 8) : std::nullopt;
}

std::string to_string(const std::vector<int64_t>& shape) {
  return fmt::format("({})", fmt::join(shape, ", "));
}

// A list of non-negative 64-bit integers; nullopt if `value` is anything else.
std::optional<std::vector<int64_t>> to_integers(const json& value) {
  std::vector<int64_t> integers;
  if (!value.is_array()) return std::nullopt;
  for (const json& item : value) {
    if (!item.is_number_unsigned() || item.get<uint64_t>() > INT64_MAX) return std::nullopt;
    integers.push_back(item.get<int64_t>());
  }
  return integers;
}

// Names are printed in one-line messages and tables, so control characters are not allowed.
bool is_printable(const std::string& name) {
  return std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

const json& member(const json& object, const char* key, const std::string& tensor) {
  require(object.is_object() && object.contains(key), "{} has no {} in the header: {}", tensor, key,
          kDamaged);
  return object[key];
}

// `tensor` begins every message: "path: tensor NAME".
SafetensorsEntry parse_entry(const std::string& name, const json& description,
                             std::span<const std::byte> data, const std::string& tensor) {
  SafetensorsEntry entry;
  entry.name = name;
  const json& dtype = member(description, "dtype", tensor);
  const auto bits = dtype.is_string() ? bits_of(dtype.get<std::string>()) : std::nullopt;
  if (!bits)
    fail("{} has dtype {}, which safetensors does not have; F32, F64, F16 and BF16 can be loaded", tensor,
         escaped(dtype));
  entry.dtype = dtype.get<std::string>();

  const json& shape = member(description, "shape", tensor);
  const auto sizes = to_integers(shape);
  if (!sizes) fail("{} has shape {}, not a list of sizes: {}", tensor, escaped(shape), kDamaged);
  entry.shape = *sizes;
  const auto size = byte_count(*sizes, *bits);
  if (!size)
    fail("{} has shape {} of {}, which is not a valid number of bytes: {}", tensor, escaped(shape),
         entry.dtype, kDamaged);

  const json& place = member(description, "data_offsets", tensor);
  const auto offsets = to_integers(place);
  if (!offsets || offsets->size() != 2 || offsets->front() > offsets->back())
    fail("{} has data_offsets {}, not [begin, end]: {}", tensor, escaped(place), kDamaged);
  const int64_t begin = offsets->front(), end = offsets->back();
  require(end - begin == *size, "{} takes {} bytes by its shape {} of {}, but {} by its data_offsets: {}",
          tensor, *size, escaped(shape), entry.dtype, end - begin, kDamaged);
  require(end <= static_cast<int64_t>(data.size()), "{} ends at byte {} of {} bytes of data: {}", tensor, end,
          data.size(), kDamaged);
  entry.bytes = data.subspan(static_cast<size_t>(begin), static_cast<size_t>(*size));
  return entry;
}

SafetensorsMetadata parse_metadata(const json& strings, const std::string& where) {
  SafetensorsMetadata metadata;
  require(strings.is_object(), "{}: {} is not an object: {}", where, kMetadata, kDamaged);
  for (const auto& item : strings.items()) {
    if (!item.value().is_string())
      fail("{}: {} {} is not a string: {}", where, kMetadata, escaped(item.key()), kDamaged);
    metadata[item.key()] = item.value().get<std::string>();
  }
  return metadata;
}

// Sorts the entries by offset and checks that they cover `data` without overlaps or gaps.
void check_cover(std::vector<SafetensorsEntry>& entries, std::span<const std::byte> data,
                 const std::string& where) {
  // Two empty tensors may have the same offset. At the same offset, an empty tensor comes before a non-empty
  // one.
  std::sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
  });
  const std::byte* expected = data.data();
  for (const SafetensorsEntry& entry : entries) {
    require(entry.bytes.data() == expected,
            "{}: tensor {} begins at byte {} of the data, but those before it end at {}: {}", where,
            entry.name, entry.bytes.data() - data.data(), expected - data.data(), kDamaged);
    expected += entry.bytes.size();
  }
  const auto rest = data.data() + data.size() - expected;
  require(rest == 0, "{}: {} bytes follow the last tensor: {}", where, rest, kDamaged);
}

float half_to_float(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16, exponent = (half >> 10) & 31u, fraction = half & 0x3ffu;
  if (exponent == 0) return std::copysign(static_cast<float>(fraction) * 0x1p-24f, sign ? -1.0f : 1.0f);
  // The bias goes from 15 to 127; infinities and NaNs keep an exponent of ones.
  const uint32_t widened = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | widened << 23 | fraction << 13);
}

// bfloat16 is the upper half of a float.
float bfloat16_to_float(uint16_t value) { return std::bit_cast<float>(static_cast<uint32_t>(value) << 16); }

// Rounded to nearest; values beyond float's range become infinite.
float double_to_float(double value) { return static_cast<float>(value); }

// Reads values of type T, which are unaligned in the file.
template <class T>
void convert(std::span<const std::byte> bytes, std::span<float> out, float (*to_float)(T)) {
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, &bytes[i * sizeof value], sizeof value);
    out[i] = to_float(value);
  }
}

// A file is read, not copied from its mapping: if it shrinks meanwhile, that is an error instead of a crash.
void copy_bytes(const SafetensorsEntry& entry, std::span<std::byte> copy) {
  if (entry.mapping) return entry.mapping->read(entry.bytes, copy);
  if (!copy.empty()) std::memcpy(copy.data(), entry.bytes.data(), copy.size());
}

// The folder has no safetensors file: the message says how to convert weights in another format.
[[noreturn]] void fail_without_weights(const std::filesystem::path& folder) {
  std::error_code ignored;
  for (const char* name : {"pytorch_model.bin", "pytorch_model.bin.index.json"}) {
    if (!std::filesystem::exists(folder / name, ignored)) continue;
    fail(
        "{}: {} is not read; convert it with: python3 -c 'import sys; from transformers import "
        "GPT2LMHeadModel; "
        "GPT2LMHeadModel.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[1])' {}",
        folder.string(), name, shell_word(folder.string()));
  }
  for (const auto& file : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = file.path().filename(), ending = file.path().extension();
    for (const std::string_view other : {".h5", ".msgpack", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".onnx"})
      if (ending == other)
        fail(
            "{}: weights are read from model.safetensors only, not from {}; save them with transformers' "
            "save_pretrained",
            folder.string(), name);
  }
  fail("{}: neither model.safetensors nor model.safetensors.index.json is here{}", folder.string(),
       how_to_download(folder));
}

// The header's JSON, padded so that the data begins at a multiple of 8 bytes.
std::string header_of(const std::string& path, std::span<const SafetensorsEntry> entries,
                      const SafetensorsMetadata& metadata) {
  nlohmann::ordered_json header;
  header[kMetadata] = metadata;
  size_t begin = 0;
  for (const SafetensorsEntry& entry : entries) {
    const auto bits = bits_of(entry.dtype);
    const auto size = bits ? byte_count(entry.shape, *bits) : std::nullopt;
    require(size == static_cast<int64_t>(entry.bytes.size()),
            "{}: tensor {} of {} {} cannot be written from {} bytes", path, entry.name, entry.dtype,
            to_string(entry.shape), entry.bytes.size());
    require(!header.contains(entry.name), "{}: tensor {} cannot be written twice", path, entry.name);
    const size_t end = begin + entry.bytes.size();
    header[entry.name] = {{"dtype", entry.dtype}, {"shape", entry.shape}, {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

int64_t SafetensorsEntry::numel() const {
  int64_t product = 1;
  for (const int64_t size : shape) product *= size;
  return product;
}

std::vector<std::byte> SafetensorsEntry::copied_bytes() const {
  std::vector<std::byte> copy(bytes.size());
  copy_bytes(*this, copy);
  return copy;
}

SafetensorsContent parse_safetensors(std::span<const std::byte> file, const std::string& where) {
  uint64_t length = 0;
  require(file.size() >= sizeof length, "{}: {} bytes are too few for a safetensors file: {}", where,
          file.size(), kDamaged);
  std::memcpy(&length, file.data(), sizeof length);
  const auto rest = file.subspan(sizeof length);
  require(length <= std::min<uint64_t>(rest.size(), kMaxHeader),
          "{}: header of {} bytes in a file of {} (the limit is {}): not a safetensors file, or {}", where,
          length, file.size(), kMaxHeader, kDamaged);
  const auto data = rest.subspan(length);
  const std::string_view text(reinterpret_cast<const char*>(rest.data()), length);
  require(text.starts_with('{'), "{}: the header is not a JSON object: not a safetensors file, or {}", where,
          kDamaged);
  const json header = parse_json(text, where);

  SafetensorsContent content;
  for (const auto& item : header.items()) {
    if (item.key() == kMetadata) {
      content.metadata = parse_metadata(item.value(), where);
      continue;
    }
    if (!is_printable(item.key()))
      fail("{}: tensor {} has control characters in its name", where, escaped(item.key()));
    content.entries.push_back(
        parse_entry(item.key(), item.value(), data, fmt::format("{}: tensor {}", where, item.key())));
    content.entries.back().file = where;
  }
  check_cover(content.entries, data, where);
  return content;
}

std::map<std::string, std::string> parse_safetensors_index(std::string_view text, const std::string& where) {
  const json index = parse_json(text, where);
  const bool has_map = index.is_object() && index.contains("weight_map") && index["weight_map"].is_object();
  require(has_map, "{}: no weight_map, from tensor names to file names, in it: {}", where, kDamaged);
  std::map<std::string, std::string> weight_map;
  for (const auto& item : index["weight_map"].items()) {
    const std::string file = item.value().is_string() ? item.value().get<std::string>() : "";
    // Only files in the index's own folder are allowed, because the index is not trusted.
    const bool is_plain =
        !file.empty() && file != "." && file != ".." && file.find_first_of("/\\") == file.npos;
    if (!is_plain || !is_printable(file))
      fail("{}: weight_map places tensor {} in {}, which is not a plain file name", where,
           escaped(item.key()), escaped(item.value()));
    weight_map[item.key()] = file;
  }
  require(!weight_map.empty(), "{}: weight_map is empty: {}", where, kDamaged);
  return weight_map;
}

SafetensorsFile::SafetensorsFile(const std::string& path, const FileDigests& digests)
    : file_(std::make_shared<MappedFile>(path)) {
  if (!digests.empty()) require_digest(digests, path, file_->digest());
  content_ = parse_safetensors(file_->bytes(), path);
  for (SafetensorsEntry& entry : content_.entries) entry.mapping = file_;
}

SafetensorsCheckpoint::SafetensorsCheckpoint(const std::string& directory, const FileDigests& digests) {
  const std::filesystem::path folder(directory);
  const std::string single = folder / "model.safetensors", index = folder / "model.safetensors.index.json";
  std::error_code ignored;  // a path that cannot be examined counts as missing
  require(std::filesystem::is_directory(folder, ignored), "{}: no such folder{}", directory,
          how_to_download(directory));
  if (std::filesystem::exists(single, ignored)) {
    add(SafetensorsFile(single, digests));
    return;
  }
  if (!std::filesystem::exists(index, ignored)) fail_without_weights(folder);

  const auto weight_map = parse_safetensors_index(read_text_file(index), index);
  std::set<std::string> files;
  for (const auto& mapped : weight_map) files.insert(mapped.second);
  for (const std::string& file : files) add(SafetensorsFile(folder / file, digests));
  for (const auto& mapped : weight_map) {
    const SafetensorsEntry* entry = find(mapped.first);
    const std::string file = folder / mapped.second;
    if (!entry || entry->file != file)
      fail("{}: tensor {} is not in it, though {} says so: {}", file, escaped(mapped.first), index, kDamaged);
  }
  for (const auto& named : entries_)
    require(weight_map.contains(named.first), "{}: tensor {} is not in {}: {}", named.second.file,
            named.first, index, kDamaged);
}

void SafetensorsCheckpoint::require_unwritten() const {
  for (const SafetensorsFile& file : files_) file.require_unwritten();
}

void SafetensorsCheckpoint::add(SafetensorsFile file) {
  for (const SafetensorsEntry& entry : file.entries()) {
    const auto [place, is_new] = entries_.emplace(entry.name, entry);
    require(is_new, "{}: tensor {} is in {} as well: {}", entry.file, entry.name, place->second.file,
            kDamaged);
  }
  files_.push_back(std::move(file));
}

const SafetensorsEntry* SafetensorsCheckpoint::find(const std::string& name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

SafetensorsEntry SafetensorsEntry::slice(int64_t first, int64_t n) const {
  require(first >= 0 && n >= 0 && first + n <= numel(), "{}: tensor {} has {} values, not {} from {} on",
          file, name, numel(), n, first);
  const size_t size = numel() == 0 ? 0 : bytes.size() / size_t(numel());
  SafetensorsEntry part = *this;
  part.shape = {n};
  part.bytes = bytes.subspan(size_t(first) * size, size_t(n) * size);
  return part;
}

void read_float32(const SafetensorsEntry& entry, std::span<float> out) {
  require(static_cast<int64_t>(out.size()) == entry.numel(), "{}: tensor {} has {} values, not {}",
          entry.file, entry.name, entry.numel(), out.size());
  if (entry.dtype == "F32") {
    copy_bytes(entry, std::as_writable_bytes(out));
  } else if (entry.dtype == "F16") {
    convert<uint16_t>(entry.copied_bytes(), out, half_to_float);
  } else if (entry.dtype == "BF16") {
    convert<uint16_t>(entry.copied_bytes(), out, bfloat16_to_float);
  } else if (entry.dtype == "F64") {
    convert<double>(entry.copied_bytes(), out, double_to_float);
  } else {
    fail("{}: tensor {} is {}; only F32, F64, F16 and BF16 can be loaded", entry.file, entry.name,
         entry.dtype);
  }
}

void read_finite(const SafetensorsEntry& entry, std::span<float> out) {
  read_float32(entry, out);
  const auto found =
      std::find_if_not(out.begin(), out.end(), [](float value) { return std::isfinite(value); });
  require(found == out.end(),
          "{}: tensor {}: value {} is {}, not a finite number{}; use another checkpoint, this one is damaged "
          "or its "
          "training diverged",
          entry.file, entry.name, found - out.begin(), found == out.end() ? 0 : without_nan_sign(*found),
          entry.dtype == "F64" ? " in float32" : "");
}

uint64_t write_safetensors(const std::string& path, std::span<const SafetensorsEntry> entries,
                           const SafetensorsMetadata& metadata) {
  const std::string header = header_of(path, entries, metadata);
  const uint64_t length = header.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (const SafetensorsEntry& entry : entries) file.write(entry.bytes);
  return file.commit();
}

}  // namespace gpt2
