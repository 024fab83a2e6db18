// AdamW over a model's parameters, with torch's defaults.
//
// The parameters of a model that was moved by Module::to lie in one block of memory, matrices first. Gradients and
// both moments get blocks with the same layout, so that a step is one kernel launch over all of them, and their norm
// another. Learning rate and step count live on the device, so that a step can be replayed as a CUDA graph.
//
// since 04_overfit; decay groups and clipping since 10_adamw
#pragma once

#include "common/kernels/adamw.h"
#include "common/nn/module.h"

namespace gpt2::optim {

struct AdamWOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01;
};

// Parameters that share a weight decay, as in torch's param_groups.   since 10_adamw
struct ParameterGroup {
  std::vector<Tensor> parameters;
  double weight_decay;
};

class AdamW {
 public:
  // All parameters of the model decay. Throws if they do not share one block: call model.to(device) first.
  AdamW(const nn::Module& model, const AdamWOptions& options);

  // Two groups, of which the first decays and the second does not; options.weight_decay is ignored. As a step is one
  // launch, the first group's parameters must lie before the second's, as matrices do before vectors; throws
  // otherwise.   since 10_adamw
  AdamW(const ParameterGroup& decayed, const ParameterGroup& not_decayed, const AdamWOptions& options);

  void zero_grad();  // the next backward() overwrites the gradients

  // The norm of all gradients, a scalar on the device; the next step() takes them as scaled down to max_norm where it
  // is larger.
  Tensor clip_grad_norm(double max_norm);

  void set_lr(double lr);  // from the next step() on
  void step();

  // The running means of gradient and squared gradient: 1-D, laid out as the parameters' block is.
  const Tensor& first_moment() const { return first_moment_; }
  const Tensor& second_moment() const { return second_moment_; }

  // How many steps were taken; to go on with a run that was stopped, it is restored as the moments are.
  // Both wait for the device.
  int64_t steps() const;
  void set_steps(int64_t steps);

 private:
  void make_blocks();
  void finish_gradients();  // zeros where backward() has not been
  AdamWState* state() const { return static_cast<AdamWState*>(state_->data()); }

  AdamWOptions options_;
  std::vector<Tensor> parameters_;
  int64_t decayed_end_ = 0;                                    // in the blocks; what lies before it decays
  Tensor weights_, gradients_, first_moment_, second_moment_;  // the four blocks, 1-D
  std::shared_ptr<Storage> state_;
  Tensor norm_, workspace_;
  double max_norm_ = 0;  // 0: the next step does not clip
};

}  // namespace gpt2::optim
