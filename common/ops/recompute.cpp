#include "common/ops/recompute.h"

#include <array>
#include <memory>
#include <optional>

#include "common/ops/dropout.h"

namespace gpt2 {
namespace {

// An input of a nested tape: the values of x with a Variable of their own, which gets the gradient.
Tensor input_of_tape(const Tensor& x) {
  Tensor input = x.detach();
  input.set_variable(std::make_shared<Variable>(x.dtype()));
  return input;
}

// While it lives, ops are recorded on a tape of their own.
struct NestedTape {
  Setting<std::shared_ptr<Tape>, &Context::tape> tape{std::make_shared<Tape>()};
  Setting<bool, &Context::grad_enabled> recording{true};
  Setting<BackwardObserver*, &Context::backward_observer> unobserved{
      nullptr};  // the outer tape's node reports
};

// Under what the function was called: autocast, and the next masks of dropout.
class Surroundings {
 public:
  Surroundings() : casts_(context().casts) {
    if (context().dropout == nullptr) return;
    masks_ = context().dropout->masks;
    sites_ = context().dropout->sites;
  }

  template <class Call>
  TwoTensors run(const Call& call) const {
    const Setting<std::shared_ptr<CastCache>, &Context::casts> casts(casts_);
    std::optional<Dropout> dropout;
    if (masks_) dropout.emplace(*masks_).sites = sites_;
    return call();
  }

 private:
  std::shared_ptr<CastCache> casts_;
  std::optional<DropoutMasks> masks_;
  uint32_t sites_ = 0;
};

struct Call {
  TwoToTwo function;
  Surroundings surroundings;
  Tensor x, y;
};

// Calls the function again, then goes backward through it. It adds to the gradients of its parameters where they lie.
void backward(Gradients& g, const Call& call) {
  const NestedTape nested;
  const Tensor x = input_of_tape(call.x), y = input_of_tape(call.y);
  {
    const TwoTensors results = call.surroundings.run([&] { return call.function(x, y); });
    g.hand_over(0, *results.first.variable());
    g.hand_over(1, *results.second.variable());
  }
  run_backward(context().tape->nodes);
  const Tensor* inputs[] = {&x, &y};
  for (size_t i = 0; i < 2; ++i) {
    Variable& input = *inputs[i]->variable();
    if (input.grad.defined()) g.add(i, std::move(input.grad), std::move(input.notes));
  }
}

}  // namespace

TwoTensors checkpoint(const TwoToTwo& function, const std::vector<Tensor>& parameters, const Tensor& x,
                      const Tensor& y) {
  std::vector<Tensor> inputs = {x, y};
  inputs.insert(inputs.end(), parameters.begin(), parameters.end());
  if (!recording(inputs)) return function(x, y);
  const Call call{function, {}, saved(x), saved(y)};
  std::array<Tensor, 2> results;
  {  // recorded, so that the same kernels are chosen as in the second time; then the tape is dropped
    const NestedTape nested;
    const TwoTensors once = function(input_of_tape(x), input_of_tape(y));
    results = {once.first.detach(), once.second.detach()};
  }
  record(inputs, results, [call](Gradients& g) { backward(g, call); });
  return {results[0], results[1]};
}

}  // namespace gpt2
