// ln_1 and ln_2 of each block are swapped, weights and biases.
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
  for (const auto& [name, tensor] : file) {
    const size_t at = name.find("ln_1");
    if (at != std::string::npos)
      std::swap(model["transformer." + name],
                model["transformer." + std::string(name).replace(at, 4, "ln_2")]);
  }
  return model;
}
