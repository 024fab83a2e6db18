// NumPy's .npy format, version 1.0: magic, version, a header that is a Python dictionary, then the
// values, row-major. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
//
// Writes float32 arrays, for inspection and comparison in Python. Reads float32, int32, int64 and uint16
// (goldens, and the video's token shards). A file is never trusted: its size must match the shape.
//
// since 02_hf_weights
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/base/file.h"

namespace gpt2 {

struct NpyArray {
  std::string descr;                 // "<f4", "<i4", "<i8" or "<u2"
  std::vector<int64_t> shape;        // () is a scalar
  std::span<const std::byte> bytes;  // within the file, unaligned
};

struct NpyHeader {
  std::string descr;
  std::vector<int64_t> shape;
  int64_t size = 0;  // bytes before the first value
};

// An upper bound on the size of a version 1.0 header.
inline constexpr int64_t kMaxNpyHeader = 10 + 65535;

// Parses the header of a file of `file_size` bytes from its beginning (the whole file or at least
// kMaxNpyHeader bytes). Throws if the header is invalid or the file's size does not match the shape; messages
// begin with `where`.
NpyHeader parse_npy_header(std::span<const std::byte> beginning, int64_t file_size, const std::string& where);

// Parses the bytes of a whole file, which must outlive the array. Throws if they are invalid; messages begin
// with `where`.
NpyArray parse_npy(std::span<const std::byte> file, const std::string& where);

// An open file; the array is valid as long as this object.
class NpyFile {
 public:
  explicit NpyFile(const std::string& path) : file_(path), array_(parse_npy(file_.bytes(), path)) {}

  const NpyArray& array() const { return array_; }
  const std::vector<int64_t>& shape() const { return array_.shape; }

  // Returns all values in row-major order. T is float, int32_t, int64_t or uint16_t. Throws if the file has
  // another type.
  template <class T>
  std::vector<T> values() const;

 private:
  MappedFile file_;
  NpyArray array_;
};

// Returns the command that makes a shard (an array of uint16, version 1.0) of an array of other integers.
std::string how_to_convert_npy(const std::string& path);

// Writes `values` (row-major, of this shape), all or nothing.
void write_npy(const std::string& path, std::span<const float> values, const std::vector<int64_t>& shape);

}  // namespace gpt2
