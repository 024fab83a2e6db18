#pragma once

#include <cstdint>
#include <vector>

// The ranks of a data-parallel run in one process: each has its own weights and gradients of a linear model with
// three weights. An operation is done by all of them.
class Ranks {
 public:
  explicit Ranks(int ranks);

  bool require_backward_grad_sync = true;  // forward reads it, as in torch

  void zero_grad();
  double forward(int64_t first_batch);  // rank r reads batch first_batch + r; returns the mean of the losses
  void backward(double factor);         // adds factor * the gradient; then averages, if forward read true
  void average();                       // gives all ranks the mean of their gradients
  void scale(double factor);            // multiplies all gradients
  void clip(double max_norm);           // each rank clips its own gradients to this norm; 0: no clipping
  void step(double learning_rate);

  const std::vector<std::vector<double>>& weights() const { return weights_; }
  int64_t rounds() const { return rounds_; }

 private:
  std::vector<std::vector<double>> weights_, gradients_, new_gradients_;
  bool sync_ = false;
  int64_t rounds_ = 0;
};
