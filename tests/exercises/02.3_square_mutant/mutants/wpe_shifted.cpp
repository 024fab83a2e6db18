// wpe.weight is shifted by one row: position t gets the embedding of position t + 1.
#include "subject.h"

#include <algorithm>

#include "common/ops/ops.h"

using namespace gpt2;

namespace {

bool is_conv1d(const std::string& name) {
  return name.ends_with(".weight") && name.find(".c_") != std::string::npos;
}

}  // namespace

Tensors load_gpt2(const Tensors& file) {
  Tensors model;
  for (const auto& [name, tensor] : file)
    model["transformer." + name] = is_conv1d(name) ? tensor.transpose(0, 1).contiguous() : tensor;
  model["lm_head.weight"] = model.at("transformer.wte.weight");
  const Tensor wpe = model.at("transformer.wpe.weight");
  const auto [T, C] = wpe.sizes<2>();
  std::vector<float> values = wpe.to_vector<float>();
  std::rotate(values.begin(), values.begin() + C, values.end());
  model["transformer.wpe.weight"] = from_vector(values, {T, C});
  return model;
}
