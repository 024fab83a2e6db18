// safetensors, the file format of Hugging Face checkpoints: 8 bytes header length (little-endian), a JSON
// header with every tensor's dtype, shape and offsets, then the tensors' bytes, row-major and little-endian,
// without gaps. https://huggingface.co/docs/safetensors
//
// A file is mapped into memory and never trusted: every tensor returned has a known
// dtype, a shape that matches its number of bytes, and bytes that no other tensor uses.
//
// since 02_hf_weights
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/file.h"

namespace gpt2 {

struct SafetensorsEntry {
  std::string name;
  std::string dtype;                                    // the format's name: "F32", "F16", "BF16", ...
  std::vector<int64_t> shape;                           // () is a scalar
  std::span<const std::byte> bytes;                     // within the file, unaligned
  std::string file;                                     // for messages: the file it was read from
  std::shared_ptr<const MappedFile> mapping = nullptr;  // of that file; null: the bytes are in memory

  int64_t numel() const;
  std::vector<std::byte> copied_bytes() const;  // as they are in the file now
  SafetensorsEntry slice(int64_t first,
                         int64_t n) const;  // values [first, first + n) in the order of the file; 1-D
};

using SafetensorsMetadata = std::map<std::string, std::string>;

struct SafetensorsContent {
  std::vector<SafetensorsEntry> entries;  // in the order of their bytes
  SafetensorsMetadata metadata;           // the header's "__metadata__"
};

// Parses the bytes of a whole file, which must outlive the result. Throws if they are invalid; messages begin
// with `where`.
SafetensorsContent parse_safetensors(std::span<const std::byte> file, const std::string& where);

// "weight_map" of a model.safetensors.index.json: tensor name -> file name.
std::map<std::string, std::string> parse_safetensors_index(std::string_view json, const std::string& where);

// An open file; its entries are valid as long as this object. They stay those of this file if another gets its name.
class SafetensorsFile {
 public:
  // Throws if `digests` has another digest for the file.
  explicit SafetensorsFile(const std::string& path, const FileDigests& digests = {});

  // Throws if the file was written to since it was opened.
  void require_unwritten() const { file_->require_unwritten(); }

  const std::vector<SafetensorsEntry>& entries() const { return content_.entries; }
  const SafetensorsMetadata& metadata() const { return content_.metadata; }

 private:
  std::shared_ptr<const MappedFile> file_;
  SafetensorsContent content_;
};

// The tensors of a Hugging Face directory: model.safetensors, or the files that model.safetensors.index.json
// lists. Throws unless index and files agree on every name.
class SafetensorsCheckpoint {
 public:
  // Throws if `digests` has another digest for one of the files.
  explicit SafetensorsCheckpoint(const std::string& directory, const FileDigests& digests = {});

  // Throws if one of the files was written to since it was opened.
  void require_unwritten() const;

  const std::map<std::string, SafetensorsEntry>& entries() const { return entries_; }
  const SafetensorsEntry* find(const std::string& name) const;  // nullptr if not found

 private:
  void add(SafetensorsFile file);

  std::vector<SafetensorsFile> files_;
  std::map<std::string, SafetensorsEntry> entries_;
};

// Converts the entry's values to floats in `out` (numel): F32, F16 and BF16 exactly, F64 rounded. Throws for
// any other dtype.
void read_float32(const SafetensorsEntry& entry, std::span<float> out);

// The same. Also throws if a value is infinite or NaN; the message names the tensor and the value's index.
void read_finite(const SafetensorsEntry& entry, std::span<float> out);

// Writes the entries one after another, all or nothing (AtomicFile), and returns the file's digest. Their
// `file` is ignored. The metadata needs "format", without which transformers refuses a file.
uint64_t write_safetensors(const std::string& path, std::span<const SafetensorsEntry> entries,
                           const SafetensorsMetadata& metadata = {{"format", "pt"}});

}  // namespace gpt2
