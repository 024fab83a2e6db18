// Modules: named parameters in a tree, like torch.nn.Module.
//
// A module names its children and parameters once, where it declares them:
//
//   struct MLP : nn::Module {
//     nn::Linear c_fc{this, "c_fc", C, 4 * C};      // parameters c_fc.weight and c_fc.bias
//
// The names are the keys of the checkpoint, and parameters are listed and drawn in the order of declaration.
// A module registers its address with its parent, so modules cannot be moved.
//
// since 01_module
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/tensor/random.h"
#include "common/tensor/tensor.h"

namespace gpt2::nn {

// Seeds the generator from which modules draw their initial parameters: torch.manual_seed(seed).
void manual_seed(uint64_t seed);
Generator& generator();

struct NamedParameter {
  std::string name;  // "transformer.h.0.attn.c_attn.weight"
  Tensor* tensor;
};

class Module {
 public:
  // Creates a child of `parent` with this name; a root has neither parent nor name.
  explicit Module(Module* parent = nullptr, std::string name = "");
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // Returns the parameters in order of declaration. Tied parameters are listed once, at the first
  // declaration.
  std::vector<NamedParameter> named_parameters() const;
  int64_t num_parameters() const;

  // Moves all parameters to `device`, into one block of memory; each parameter becomes an aligned view of it.
  // Tensors with two or more dimensions come first. So AdamW needs one launch, and the norm another. Tied
  // parameters stay tied. With bf16 (since 15_bf16_weights), the parameters are rounded to nearest.
  void to(Device device, DType dtype = DType::f32);

  // Calls `visit` for each module of the tree, children before their parents.
  void apply(const std::function<void(Module&)>& visit);

  const std::string& name() const { return name_; }

 protected:
  // Declares `tensor`, a member of the derived class, as a parameter.
  void register_parameter(std::string name, Tensor& tensor);

 private:
  void collect(const std::string& prefix, std::vector<NamedParameter>& parameters) const;

  std::string name_;
  std::vector<Module*> children_;
  std::vector<NamedParameter> parameters_;  // this module's own
};

}  // namespace gpt2::nn
