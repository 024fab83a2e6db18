#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

struct TensorView {
  std::string dtype;  // "F32", "F16", "BF16", "I64" or "U8"
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;  // a part of the file
};

// Finds the tensors of a file: the bytes of all tensors, then the header (JSON, see header.h), and at the end
// 8 bytes with the header's length (little-endian). Throws gpt2::Error unless each tensor's shape and dtype
// need as many bytes as its offsets give it, these lie among the bytes of the tensors, and each byte belongs
// to exactly one tensor. The message names the tensor whose description is wrong.
std::map<std::string, TensorView> read_tensors(std::span<const std::byte> file);
