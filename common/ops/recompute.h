// Activations that the backward pass recomputes, so that they need not be kept (Chen et al. 2016, "Training deep nets with
// sublinear memory cost"): less memory, for some more time. Context::recompute says which.
//
// since 16_recompute
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "common/ops/autograd.h"

namespace gpt2 {

// Whether the results of GELUs, or of LayerNorms, are recomputed. With Recompute::block all activations of a block are.
inline bool recomputes_gelu() {
  return context().recompute == Recompute::gelu || context().recompute == Recompute::layernorm;
}
inline bool recomputes_layer_norm() { return context().recompute == Recompute::layernorm; }

// An activation that a node needs in its backward pass: its values or, if the op that computed it has told how, a
// function that recomputes them.
class Kept {
 public:
  // `values` are those of `input`, perhaps in another type.
  Kept(const Tensor& input, Tensor values) : values_(std::move(values)) {
    if (!input.variable() || !input.variable()->again || values_.storage() != input.storage()) return;
    again_ = input.variable()->again;
    values_ = Tensor();
  }

  // `again` recomputes the values; if it is empty, they are kept.
  Kept(Tensor values, std::function<Tensor()> again) : again_(std::move(again)) {
    if (!again_) values_ = std::move(values);
  }

  Tensor operator()() const { return again_ ? again_() : values_; }

 private:
  Tensor values_;
  std::function<Tensor()> again_;
};

using TwoTensors = std::pair<Tensor, Tensor>;
using TwoToTwo = std::function<TwoTensors(const Tensor&, const Tensor&)>;

// Returns function(x, y). With Recompute::block, only x and y are kept; the backward pass calls the function again, with
// the same masks of dropout, on a tape of its own. `parameters` are all parameters that the function reads.
TwoTensors checkpoint(const TwoToTwo& function, const std::vector<Tensor>& parameters, const Tensor& x,
                      const Tensor& y);

// The same for a module (nn::Module): std::tie(x, update) = checkpoint(block, x, update), as torch.utils.checkpoint. The
// module must outlive the backward pass.
template <class Module>
TwoTensors checkpoint(Module& module, const Tensor& x, const Tensor& y) {
  if (context().recompute != Recompute::block) return module(x, y);
  std::vector<Tensor> parameters;
  for (const auto& [name, tensor] : module.named_parameters()) parameters.push_back(*tensor);
  return checkpoint([&module](const Tensor& a, const Tensor& b) { return module(a, b); }, parameters, x, y);
}

}  // namespace gpt2
