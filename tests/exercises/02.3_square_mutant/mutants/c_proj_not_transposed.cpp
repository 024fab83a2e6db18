// attn.c_proj.weight is (C, C) before and after, so its shape is right, but it is not transposed.
#include "subject.h"

#include "common/ops/ops.h"

using namespace gpt2;

namespace {

bool is_conv1d(const std::string& name) {
  return name.ends_with(".weight") && name.find(".c_") != std::string::npos &&
         !name.ends_with("attn.c_proj.weight");
}

}  // namespace

Tensors load_gpt2(const Tensors& file) {
  Tensors model;
  for (const auto& [name, tensor] : file)
    model["transformer." + name] = is_conv1d(name) ? tensor.transpose(0, 1).contiguous() : tensor;
  model["lm_head.weight"] = model.at("transformer.wte.weight");
  return model;
}
