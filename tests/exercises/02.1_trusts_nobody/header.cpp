#include "header.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/error.h"
#include "common/base/json.h"

using namespace gpt2;
using nlohmann::json;

namespace {

const json& member(const json& tensor, const char* key, const std::string& name) {
  require(tensor.is_object() && tensor.contains(key), "tensor {}: the header has no {}", name, key);
  return tensor[key];
}

std::vector<int64_t> integers(const json& list, const char* key, const std::string& name) {
  require(list.is_array(), "tensor {}: {} is no list", name, key);
  std::vector<int64_t> result;
  for (const json& value : list) {
    const bool fits =
        value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX);
    require(fits, "tensor {}: {} has a value that is no integer of 64 bits", name, key);
    result.push_back(value.get<int64_t>());
  }
  return result;
}

}  // namespace

std::vector<Description> parse_header(std::string_view text) {
  require(std::find(text.begin(), text.end(), '\0') == text.end(), "the header has a zero byte");
  const json header = parse_json(text, "the header");
  require(header.is_object(), "the header is no JSON object");
  std::vector<Description> tensors;
  for (const auto& item : header.items()) {
    const std::string& name = item.key();
    if (name == "__metadata__") continue;
    const json& dtype = member(item.value(), "dtype", name);
    require(dtype.is_string(), "tensor {}: its dtype is no string", name);
    const auto offsets = integers(member(item.value(), "data_offsets", name), "data_offsets", name);
    require(offsets.size() == 2, "tensor {}: data_offsets are not two numbers", name);
    tensors.push_back({name, dtype.get<std::string>(),
                       integers(member(item.value(), "shape", name), "shape", name), offsets[0], offsets[1]});
  }
  return tensors;
}
