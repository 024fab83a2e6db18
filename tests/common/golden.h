// Reads goldens: reference results of torch and transformers (tests/golden/make.py).
#pragma once

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/base/file.h"
#include "common/data/safetensors.h"
#include "common/tensor/tensor.h"
#include "paths.h"

namespace gpt2::testing {

inline std::string golden_path(const std::string& name) { return GPT2_SOURCE_DIR "/tests/golden/" + name; }

// Reads a JSON golden, with its keys in the file's order.
inline nlohmann::ordered_json golden_json(const std::string& name) {
  return nlohmann::ordered_json::parse(read_text_file(golden_path(name)));
}

// A safetensors golden. A missing name is an error, so a test cannot pass because data is missing.
class GoldenTensors {
 public:
  explicit GoldenTensors(const std::string& name) : file_(golden_path(name)) {
    for (const SafetensorsEntry& entry : file_.entries()) entries_[entry.name] = entry;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
  }
  bool contains(const std::string& name) const { return entries_.contains(name); }
  const Shape& shape(const std::string& name) const { return entries_.at(name).shape; }

  std::vector<float> floats(const std::string& name) const {
    std::vector<float> values(size_t(entries_.at(name).numel()));
    read_float32(entries_.at(name), values);
    return values;
  }
  std::vector<int32_t> ids(const std::string& name) const {
    const SafetensorsEntry& entry = entries_.at(name);
    require(entry.dtype == "I32", "{}: tensor {} is {}, not I32", entry.file, name, entry.dtype);
    std::vector<int32_t> ids(size_t(entry.numel()));
    std::memcpy(ids.data(), entry.bytes.data(), entry.bytes.size());
    return ids;
  }

 private:
  SafetensorsFile file_;
  std::map<std::string, SafetensorsEntry> entries_;
};

}  // namespace gpt2::testing
