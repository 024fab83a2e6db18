#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What the header says of a tensor. The fields have these types; everything else may be a lie.
struct Description {
  std::string name, dtype;
  std::vector<int64_t> shape;
  int64_t begin = 0, end = 0;  // data_offsets: the place of its bytes among the bytes of all tensors
};

// Reads a header: {"wte": {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]}, ...}. Leaves out
// "__metadata__". Throws gpt2::Error if the text is not JSON, has a name twice, lacks a field or has one of
// another type.
std::vector<Description> parse_header(std::string_view json);
