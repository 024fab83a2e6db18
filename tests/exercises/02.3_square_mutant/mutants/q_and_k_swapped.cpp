// the first and the second C rows of attn.c_attn.weight are swapped: q and k (the bias stays as it is).
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
  for (const auto& [name, tensor] : file) {
    model["transformer." + name] = is_conv1d(name) ? tensor.transpose(0, 1).contiguous() : tensor;
    if (name.ends_with("c_attn.weight")) {
      const int64_t C = tensor.size(0);
      std::vector<float> values = model["transformer." + name].to_vector<float>();
      std::swap_ranges(values.begin(), values.begin() + C * C, values.begin() + C * C);
      model["transformer." + name] = from_vector(values, {3 * C, C});
    }
  }
  model["lm_head.weight"] = model.at("transformer.wte.weight");
  return model;
}
