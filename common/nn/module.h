// Modules: named parameters in a tree, as torch.nn.Module.
//
// A module names its children and parameters once, where it declares them:
//
//   struct MLP : nn::Module {
//     nn::Linear c_fc{this, "c_fc", C, 4 * C};      // parameters c_fc.weight and c_fc.bias
//
// so that the names are the checkpoint's keys and the order of declaration is the order in which parameters
// are listed and drawn. Modules register their own address with their parent: they never move.
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

// The generator that modules draw their initial parameters from: torch.manual_seed(seed).
void manual_seed(uint64_t seed);
Generator& generator();

struct NamedParameter {
  std::string name;  // "transformer.h.0.attn.c_attn.weight"
  Tensor* tensor;
};

class Module {
 public:
  // A child of `parent` called `name`; a root has neither.
  explicit Module(Module* parent = nullptr, std::string name = "");
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // Every parameter in order of declaration; of tied ones the first alone.
  std::vector<NamedParameter> named_parameters() const;
  int64_t num_parameters() const;

  // Moves all parameters to `device`, into one block of memory in which each is a view (tensors of two and
  // more dimensions first, each aligned): one AdamW launch, one norm launch. Tied parameters stay tied.
  void to(Device device);

  // Calls `visit` for each module of the tree, children before their parent.
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
