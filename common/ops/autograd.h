// Reverse-mode differentiation on a tape.
//
// Every op that takes part in training records one node: its inputs, its outputs, and a function that turns
// the gradients of the outputs into those of the inputs. backward() plays the tape from its end and frees
// each node as it goes. The order in which ops ran is a topological order already, so nothing is sorted.
//
// Invariant: a node's function may hold the storage of tensors (saved()), never their Variables: a node that
// held its own output's Variable would be a cycle, and a leak.
//
// since 04_overfit
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "common/tensor/context.h"
#include "common/tensor/tensor.h"

namespace gpt2 {

// What autograd knows of a tensor.
struct Variable {
  Tensor grad;           // d(loss)/d(tensor), undefined until backward() gets here
  bool is_leaf = false;  // no op made it: its gradient is kept, and adds up over backward() calls
  bool stale = false;    // a leaf's grad holds the last step's values: overwrite them
};

// A node's view of its gradients while it runs: dy of its outputs, and where to put those of its inputs.
class Gradients {
 public:
  Gradients(std::vector<Tensor> dy, std::vector<std::shared_ptr<Variable>> inputs)
      : dy_(std::move(dy)), inputs_(std::move(inputs)) {}

  // Gradient of output i; undefined if nothing depends on that output (never so for a single output).
  const Tensor& dy(size_t i = 0) const { return dy_[i]; }

  bool wanted(size_t i) const { return inputs_[i] != nullptr; }
  const std::vector<std::shared_ptr<Variable>>& inputs() const { return inputs_; }

  // Adds dx to the gradient of input i. dx may share its storage with dy: it is not written to again.
  void add(size_t i, Tensor dx);

  // For kernels that add in place (weights): writes `target = beta * target + ...` to the gradient of input
  // i, with beta 0 where there is none yet.
  struct Target {
    Tensor grad;
    float beta;
  };
  Target into(size_t i, const Shape& shape, Device device);

 private:
  std::vector<Tensor> dy_;
  std::vector<std::shared_ptr<Variable>> inputs_;
};

using BackwardFunction = std::function<void(Gradients&)>;

struct Node {
  std::vector<std::shared_ptr<Variable>> inputs;  // null: that input needs no gradient
  std::vector<std::shared_ptr<Variable>> outputs;
  BackwardFunction backward;
};

struct Tape {
  std::vector<Node> nodes;
};

// Told by backward(), while it runs, of each leaf whose gradient is final: no node is left that could add to
// it. Context::backward_observer points to one, or to none. since 12_ddp
class BackwardObserver {
 public:
  virtual ~BackwardObserver() = default;
  virtual bool begin() = 0;  // false: this backward() is of no interest
  virtual void leaf_done(Variable& leaf) = 0;
  virtual void end() = 0;
};

// True if an op on these inputs is to be recorded: gradients are enabled and one of them has a Variable.
bool recording(std::initializer_list<Tensor> inputs);

// Appends a node to the tape and gives the outputs their Variables, if recording(inputs).
void record(std::initializer_list<Tensor> inputs, std::span<Tensor> outputs, BackwardFunction backward);
inline void record(std::initializer_list<Tensor> inputs, Tensor& output, BackwardFunction backward) {
  record(inputs, std::span(&output, 1), std::move(backward));
}

// What a node may hold of a tensor: its values without its Variable.
inline Tensor saved(const Tensor& tensor) { return tensor.detach(); }

}  // namespace gpt2
