#include "common/ops/autograd.h"

#include <algorithm>
#include <unordered_map>

#include "common/kernels/add.h"
#include "common/kernels/fill.h"
#include "common/kernels/scale.h"
#include "common/ops/autocast.h"
#include "common/ops/dispatch.h"

namespace gpt2 {
namespace {

// to += from. Both have the same shape and type; `to` is contiguous.
void add_in_place(const Tensor& to, const Tensor& from) {
  const Tensor other = from.contiguous();
  with_type(to.dtype(), [&](auto t) {
    using T = decltype(t);
    DISPATCH(to.device(), add, to.data<T>(), to.data<T>(), other.data<T>(), to.numel(), to.numel());
  });
}

Tensor copy_of(const Tensor& x) {
  const Tensor from = x.contiguous(), copy = empty(x.shape(), x.device(), x.dtype());
  copy_(copy, from);
  return copy;
}

bool writable(const Tensor& x) { return x.owns_storage() && x.is_contiguous(); }

bool has(const std::vector<std::shared_ptr<Variable>>& variables, const std::shared_ptr<Variable>& wanted) {
  return std::find(variables.begin(), variables.end(), wanted) != variables.end();
}

// Whether the node that made `variable` still exists; backward() frees the nodes that it has run.
bool on_tape(const std::shared_ptr<Variable>& variable) {
  const auto& tape = context().tape;
  return tape && std::any_of(tape->nodes.rbegin(), tape->nodes.rend(),
                             [&](const Node& node) { return has(node.outputs, variable); });
}

// For the observer: counts how many inputs of the remaining nodes each leaf is. Does nothing without an
// observer.
class LeafUses {
 public:
  explicit LeafUses(const std::vector<Node>& nodes) : observer_(context().backward_observer) {
    if (observer_ != nullptr && !observer_->begin()) observer_ = nullptr;
    if (observer_ == nullptr) return;
    for (const Node& node : nodes) {
      for (const auto& input : node.inputs) {
        if (input && input->is_leaf) ++uses_[input.get()];
      }
    }
  }

  // Tells that a node with these inputs has run or was skipped.
  void passed(const std::vector<std::shared_ptr<Variable>>& inputs) {
    if (observer_ == nullptr) return;
    for (const auto& input : inputs) {
      if (input && input->is_leaf && --uses_[input.get()] == 0) observer_->leaf_done(*input);
    }
  }

  void end() const {
    if (observer_ != nullptr) observer_->end();
  }

 private:
  BackwardObserver* observer_;
  std::unordered_map<const Variable*, int64_t> uses_;
};

// x times one float on the device. In place if nobody else refers to x.
Tensor times(const Tensor& x, const Tensor& factor) {
  const Tensor from = x.contiguous(), y = writable(x) ? x : empty(x.shape(), x.device(), x.dtype());
  with_type(x.dtype(), [&](auto t) {
    using T = decltype(t);
    DISPATCH(x.device(), scale_by, y.data<T>(), from.data<T>(), factor.data<float>(), x.numel());
  });
  return y;
}

// Multiplies the gradient by the factor that it lacks, and forgets what is known about it.
void settle(Tensor& gradient, GradientNotes& notes) {
  if (notes.factor.defined()) gradient = times(gradient, notes.factor);
  notes = {};
}

Tensor ones(Device device) {
  const Tensor one = empty({}, device);
  DISPATCH(device, fill, one.data<float>(), 1.0f, 1);
  return one;
}

}  // namespace

Gradients::Gradients(const std::vector<std::shared_ptr<Variable>>& outputs,
                     std::vector<std::shared_ptr<Variable>> inputs)
    : inputs_(std::move(inputs)) {
  for (const auto& output : outputs) {
    dy_.push_back(std::move(output->grad));
    notes_.push_back(std::exchange(output->notes, {}));
  }
}

const Tensor& Gradients::dy(size_t i) {
  if (notes_[i].factor.defined()) settle(dy_[i], notes_[i]);
  return dy_[i];
}

bool Gradients::reached() const {
  return std::any_of(dy_.begin(), dy_.end(), [](const Tensor& dy) { return dy.defined(); });
}

void Gradients::add(size_t i, Tensor dx, GradientNotes notes) {
  if (!wanted(i)) return;
  Variable& variable = *inputs_[i];
  Tensor& grad = variable.grad;
  if (!variable.is_leaf && !grad.defined()) {
    grad = std::move(dx);
    variable.notes = std::move(notes);
    return;
  }
  settle(dx, notes);
  settle(grad, variable.notes);
  if (variable.is_leaf) {  // its gradient has its own memory, which may belong to the optimizer
    const auto [target, beta] = into(i, dx.shape(), dx.device());
    if (beta == 0) {
      copy_(target, dx.contiguous());
    } else {
      add_in_place(target, dx);
    }
  } else if (writable(grad)) {
    add_in_place(grad, dx);
  } else {  // grad is shared with the gradient of another tensor, so do not write to it
    if (!writable(dx)) dx = copy_of(dx);
    add_in_place(dx, grad);
    grad = std::move(dx);
  }
}

Gradients::Target Gradients::into(size_t i, const Shape& shape, Device device) {
  Variable& variable = *inputs_[i];
  settle(variable.grad, variable.notes);
  const bool fresh = !variable.grad.defined() || variable.stale;
  if (!variable.grad.defined()) {
    variable.grad = empty(shape, device, variable.dtype);
  } else if (!variable.is_leaf && !writable(variable.grad)) {
    variable.grad = copy_of(variable.grad);
  }
  variable.stale = false;
  return {variable.grad, fresh ? 0.0f : 1.0f};
}

bool recording(std::span<const Tensor> inputs) {
  if (!context().grad_enabled) return false;
  for (const Tensor& input : inputs) {
    if (input.requires_grad()) return true;
  }
  return false;
}

void record(std::span<const Tensor> inputs, std::span<Tensor> outputs, BackwardFunction backward) {
  if (!recording(inputs)) return;
  Node node;
  for (const Tensor& input : inputs) node.inputs.push_back(input.variable());
  for (Tensor& output : outputs) {
    output.set_variable(std::make_shared<Variable>(output.dtype()));
    node.outputs.push_back(output.variable());
  }
  node.backward = std::move(backward);
  auto& tape = context().tape;
  if (!tape) tape = std::make_shared<Tape>();
  tape->nodes.push_back(std::move(node));
}

void run_backward(std::vector<Node>& nodes,
                  const std::function<void(const std::vector<std::shared_ptr<Variable>>&)>& passed) {
  const NoGrad no_grad;  // gradients of gradients are not recorded
  while (!nodes.empty()) {
    Node node = std::move(nodes.back());
    nodes.pop_back();
    Gradients gradients(node.outputs, std::move(node.inputs));
    if (gradients.reached()) node.backward(gradients);
    if (passed) passed(gradients.inputs());
  }
}

Tensor& Tensor::set_requires_grad() {
  variable_ = std::make_shared<Variable>(dtype_, /*leaf=*/true);
  return *this;
}

Tensor Tensor::grad() const { return variable_ && !variable_->stale ? variable_->grad : Tensor(); }

void Tensor::backward() const {
  require(variable_ != nullptr && !variable_->is_leaf,
          "backward: this tensor was not computed from one that requires a gradient");
  require(numel() == 1, "backward: expected one element, got shape {}", to_string(shape_));
  require(
      on_tape(variable_),
      "backward: the graph of this tensor is gone, since a backward() before has freed it; run the forward "
      "pass again");
  variable_->grad = cast(ones(device()), dtype_).as_strided(shape_, strides_, 0);
  auto& nodes = context().tape->nodes;
  LeafUses leaf_uses(nodes);
  run_backward(nodes, [&](const auto& inputs) { leaf_uses.passed(inputs); });
  leaf_uses.end();
}

}  // namespace gpt2
