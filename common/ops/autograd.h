// Reverse-mode differentiation on a tape.
//
// Every op that takes part in training records one node: its inputs, its outputs, and a function that
// computes the gradients of the inputs from the gradients of the outputs. backward() runs the tape from its
// end to its start and frees each node after use. The order in which the ops ran is a topological order, so
// no sorting is needed.
//
// Invariant: a node's function may hold the storage of tensors (saved()), but never their Variables. A node
// that held the Variable of its own output would form a reference cycle and leak memory.
//
// since 04_overfit
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "common/tensor/context.h"
#include "common/tensor/tensor.h"

namespace gpt2 {

// What autograd knows about a tensor.
class Bf16Copy;  // common/ops/autocast.h

// What the op that computed a gradient knows about it. Another gradient of the same tensor ends that.
struct GradientNotes {
  // One float on the device, by which the gradient must still be multiplied; undefined: 1. The classifier leaves
  // it to the matrix products that read the gradient next.
  Tensor factor;
  // (n, C): its sums over n are the sums of the gradient over all rows of C values; undefined: not computed.
  Tensor partial_sums;
};

struct Variable {
  Tensor grad;               // d(loss)/d(tensor), undefined until backward() computes it
  DType dtype = DType::f32;  // of the tensor, and so of its gradient
  GradientNotes notes;       // on grad; none for a leaf
  bool is_leaf = false;      // not the output of an op: backward() calls add up its gradient and keep it
  bool stale = false;        // a leaf's grad holds the values of the last step: overwrite them
  std::shared_ptr<Bf16Copy> bf16_copy;  // of a parameter, if its optimizer keeps one; since 10_adamw
  std::function<Tensor()> again;        // recomputes the values; empty: they must be kept; since 16_recompute

  Variable() = default;
  explicit Variable(DType type, bool leaf = false) : dtype(type), is_leaf(leaf) {}
};

// A running node's view of gradients: the gradients of its outputs, and where to write those of its inputs.
class Gradients {
 public:
  Gradients(const std::vector<std::shared_ptr<Variable>>& outputs,
            std::vector<std::shared_ptr<Variable>> inputs);

  // The gradient of output i; undefined if nothing depends on that output. A single output always has one.
  const Tensor& dy(size_t i = 0);

  // The factor that the gradient of output i still lacks, or an undefined tensor. The caller multiplies by it,
  // and dy(i) no longer does.
  Tensor take_factor(size_t i = 0) { return std::exchange(notes_[i].factor, Tensor()); }

  // See GradientNotes.
  const Tensor& partial_sums(size_t i = 0) const { return notes_[i].partial_sums; }

  // Gives the gradient of output i, and what is known about it, to another variable.
  void hand_over(size_t i, Variable& to) {
    to.grad = std::move(dy_[i]);
    to.notes = std::exchange(notes_[i], {});
  }

  bool reached() const;  // whether any output has a gradient

  bool wanted(size_t i) const { return inputs_[i] != nullptr; }
  const std::vector<std::shared_ptr<Variable>>& inputs() const { return inputs_; }

  // Adds dx to the gradient of input i. dx may share its storage with dy, because dy is not written again.
  void add(size_t i, Tensor dx, GradientNotes notes = {});

  // For kernels that add in place (weights): the kernel computes `grad = beta * grad + ...`, where grad is
  // the gradient of input i and has its type. beta is 0 if there is no gradient yet.
  struct Target {
    Tensor grad;
    float beta;
  };
  Target into(size_t i, const Shape& shape, Device device);

 private:
  std::vector<Tensor> dy_;
  std::vector<GradientNotes> notes_;  // on dy_
  std::vector<std::shared_ptr<Variable>> inputs_;
};

using BackwardFunction = std::function<void(Gradients&)>;

struct Node {
  std::vector<std::shared_ptr<Variable>> inputs;  // null if the input needs no gradient
  std::vector<std::shared_ptr<Variable>> outputs;
  BackwardFunction backward;
};

struct Tape {
  std::vector<Node> nodes;
};

// backward() reports to it each leaf whose gradient is final, that is, to which no remaining node can add.
// Context::backward_observer points to the observer, or is null. since 12_ddp
class BackwardObserver {
 public:
  virtual ~BackwardObserver() = default;
  virtual bool begin() = 0;  // returns false to ignore this backward()
  virtual void leaf_done(Variable& leaf) = 0;
  virtual void end() = 0;
};

// True if an op on these inputs must be recorded: gradients are enabled and at least one input has a
// Variable.
bool recording(std::span<const Tensor> inputs);
inline bool recording(std::initializer_list<Tensor> inputs) {
  return recording(std::span(inputs.begin(), inputs.size()));
}

// If recording(inputs), appends a node to the tape and gives the outputs their Variables.
void record(std::span<const Tensor> inputs, std::span<Tensor> outputs, BackwardFunction backward);
inline void record(std::initializer_list<Tensor> inputs, std::span<Tensor> outputs,
                   BackwardFunction backward) {
  record(std::span(inputs.begin(), inputs.size()), outputs, std::move(backward));
}
inline void record(std::initializer_list<Tensor> inputs, Tensor& output, BackwardFunction backward) {
  record(inputs, std::span(&output, 1), std::move(backward));
}

// Runs the nodes of a tape from its end to its start, for gradients that its last outputs already have, and frees each
// node. `passed` is called after each node with its inputs.
void run_backward(std::vector<Node>& nodes,
                  const std::function<void(const std::vector<std::shared_ptr<Variable>>&)>& passed = {});

// The part of a tensor that a node may hold: its values without its Variable.
inline Tensor saved(const Tensor& tensor) { return tensor.detach(); }

}  // namespace gpt2
