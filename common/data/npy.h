// NumPy's .npy format, version 1.0: magic, version, a header that is a Python dictionary, then the
// values, row-major. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
//
// float32 arrays are written, for inspection and comparison in Python; float32, int32, int64 and uint16
// are read (goldens, and the video's token shards). A file is never trusted: its values are there.
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
  std::span<const std::byte> bytes;  // within the file, not aligned to anything
};

struct NpyHeader {
  std::string descr;
  std::vector<int64_t> shape;
  int64_t size = 0;  // bytes before the first value
};

// More than a version 1.0 header can have.
inline constexpr int64_t kMaxNpyHeader = 10 + 65535;

// The header of a file of `file_size` bytes that begins with these (all of it, or kMaxNpyHeader); errors
// begin with `where`. The file has as many values as the shape says.
NpyHeader parse_npy_header(std::span<const std::byte> beginning, int64_t file_size, const std::string& where);

// The array in a whole file's bytes, which must outlive it; errors begin with `where`.
NpyArray parse_npy(std::span<const std::byte> file, const std::string& where);

// One file, open; its array lives as long as it.
class NpyFile {
 public:
  explicit NpyFile(const std::string& path) : file_(path), array_(parse_npy(file_.bytes(), path)) {}

  const NpyArray& array() const { return array_; }
  const std::vector<int64_t>& shape() const { return array_.shape; }

  // All values, in row-major order. T is float, int32_t, int64_t or uint16_t; an error unless the file
  // holds that type.
  template <class T>
  std::vector<T> values() const;

 private:
  MappedFile file_;
  NpyArray array_;
};

// Writes `values` (row-major, as many as `shape` says), all or nothing.
void write_npy(const std::string& path, std::span<const float> values, const std::vector<int64_t>& shape);

}  // namespace gpt2
