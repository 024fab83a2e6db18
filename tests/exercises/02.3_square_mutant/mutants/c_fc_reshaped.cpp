// mlp.c_fc.weight gets the shape (4C, C) by view, not by transpose: the values are in the wrong order.
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
  for (const auto& [name, tensor] : file) {
    model["transformer." + name] = is_conv1d(name) ? tensor.transpose(0, 1).contiguous() : tensor;
    if (name.ends_with("mlp.c_fc.weight"))
      model["transformer." + name] = tensor.view({tensor.size(1), tensor.size(0)});
  }
  model["lm_head.weight"] = model.at("transformer.wte.weight");
  return model;
}
