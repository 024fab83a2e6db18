#include "common/nn/module.h"

#include <algorithm>
#include <map>

#include "common/ops/autograd.h"
#include "common/tensor/context.h"

namespace gpt2::nn {
namespace {

// In values, whatever their type: the blocks of weights, gradients and moments have the same layout.
constexpr int64_t kPoolAlignment = kAlignment / sizeof(float);

std::vector<NamedParameter> without_tied(const std::vector<NamedParameter>& all) {
  std::vector<NamedParameter> distinct;
  for (const auto& parameter : all) {
    const bool seen = std::any_of(distinct.begin(), distinct.end(), [&](const NamedParameter& other) {
      return other.tensor->variable() == parameter.tensor->variable();
    });
    if (!seen) distinct.push_back(parameter);
  }
  return distinct;
}

}  // namespace

Generator& generator() {
  thread_local Generator generator(1337);
  return generator;
}

void manual_seed(uint64_t seed) { generator() = Generator(seed); }

Module::Module(Module* parent, std::string name) : name_(std::move(name)) {
  if (parent != nullptr) parent->children_.push_back(this);
}

void Module::register_parameter(std::string name, Tensor& tensor) {
  tensor.set_requires_grad();
  parameters_.push_back({std::move(name), &tensor});
}

void Module::collect(const std::string& prefix, std::vector<NamedParameter>& parameters) const {
  for (const auto& own : parameters_) parameters.push_back({prefix + own.name, own.tensor});
  for (const Module* child : children_) child->collect(prefix + child->name_ + ".", parameters);
}

std::vector<NamedParameter> Module::named_parameters() const {
  std::vector<NamedParameter> parameters;
  collect("", parameters);
  return without_tied(parameters);
}

int64_t Module::num_parameters() const {
  int64_t n = 0;
  for (const auto& parameter : named_parameters()) n += parameter.tensor->numel();
  return n;
}

void Module::apply(const std::function<void(Module&)>& visit) {
  for (Module* child : children_) child->apply(visit);
  visit(*this);
}

void Module::to(Device device, DType dtype) {
  std::vector<NamedParameter> all;
  collect("", all);
  auto distinct = without_tied(all);
  std::stable_partition(distinct.begin(), distinct.end(),
                        [](const NamedParameter& p) { return p.tensor->dim() >= 2; });
  std::map<const Variable*, int64_t> offsets;
  int64_t size = 0;
  for (const auto& [name, tensor] : distinct) {
    offsets[tensor->variable().get()] = size;
    size += (tensor->numel() + kPoolAlignment - 1) / kPoolAlignment * kPoolAlignment;
  }
  const Tensor pool = empty({size}, device, dtype);
  zero_(pool);
  for (const auto& [name, tensor] : all) {
    const auto variable = tensor->variable();
    Tensor view =
        pool.as_strided(tensor->shape(), contiguous_strides(tensor->shape()), offsets[variable.get()]);
    copy_(view, tensor->detach().contiguous().to(dtype));
    variable->dtype = dtype;
    view.set_variable(variable);
    *tensor = view;  // frees the old storage
  }
}

}  // namespace gpt2::nn
