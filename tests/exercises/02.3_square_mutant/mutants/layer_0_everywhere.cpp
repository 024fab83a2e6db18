// every block gets the biases of block 0.
#include "subject.h"

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
  for (auto& [name, tensor] : model) {
    const size_t at = name.find(".h.");
    if (at == std::string::npos || !name.ends_with(".bias")) continue;
    tensor = model.at(name.substr(0, at) + ".h.0" + name.substr(name.find('.', at + 3)));
  }
  return model;
}
