// safetensors, the file format of Hugging Face checkpoints: 8 bytes header length (little-endian), a
// JSON header that gives every tensor's dtype, shape and place, then the tensors' bytes, row-major and
// little-endian, without a gap. https://huggingface.co/docs/safetensors
//
// A file is read in place, through a memory mapping, and never trusted: whatever comes out of here has
// a known dtype, a shape whose byte count agrees with its bytes, and a place of its own in the file.
//
// since 02_hf_weights
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/file.h"

namespace gpt2 {

struct SafetensorsEntry {
  std::string name;
  std::string dtype;                 // as the format spells it: "F32", "F16", "BF16", ...
  std::vector<int64_t> shape;        // () is a scalar
  std::span<const std::byte> bytes;  // within the file, not aligned to anything
  std::string file;                  // for messages: where the entry was read from

  int64_t numel() const;
};

using SafetensorsMetadata = std::map<std::string, std::string>;

struct SafetensorsContent {
  std::vector<SafetensorsEntry> entries;  // in the order of their bytes
  SafetensorsMetadata metadata;           // the header's "__metadata__"
};

// The content of a whole file's bytes, which must outlive it; errors begin with `where`.
SafetensorsContent parse_safetensors(std::span<const std::byte> file, const std::string& where);

// "weight_map" of a model.safetensors.index.json: from a tensor's name to the name of its file.
std::map<std::string, std::string> parse_safetensors_index(std::string_view json, const std::string& where);

// One file, open; its entries live as long as it.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path)
      : file_(path), content_(parse_safetensors(file_.bytes(), path)) {}

  const std::vector<SafetensorsEntry>& entries() const { return content_.entries; }
  const SafetensorsMetadata& metadata() const { return content_.metadata; }

 private:
  MappedFile file_;
  SafetensorsContent content_;
};

// The tensors of a Hugging Face directory: model.safetensors, or the files that
// model.safetensors.index.json lists. Index and files must agree on every name.
class SafetensorsCheckpoint {
 public:
  explicit SafetensorsCheckpoint(const std::string& directory);

  const std::map<std::string, SafetensorsEntry>& entries() const { return entries_; }
  const SafetensorsEntry* find(const std::string& name) const;  // nullptr if there is none

 private:
  void add(SafetensorsFile file);

  std::vector<SafetensorsFile> files_;
  std::map<std::string, SafetensorsEntry> entries_;
};

// Writes the entry's values to `out` (numel floats): F32 as they are, F16 and BF16 widened, which is
// exact, F64 rounded. Any other dtype is an error.
void read_float32(const SafetensorsEntry& entry, std::span<float> out);

// The same, and throws if a value is infinite or NaN; the message names the tensor and the value's index.
void read_finite(const SafetensorsEntry& entry, std::span<float> out);

// Writes the entries one after the other, all or nothing (AtomicFile); their `file` is not looked at.
// Without "format" in its metadata, transformers refuses a file. Returns the file's digest.
uint64_t write_safetensors(const std::string& path, std::span<const SafetensorsEntry> entries,
                           const SafetensorsMetadata& metadata = {{"format", "pt"}});

}  // namespace gpt2
