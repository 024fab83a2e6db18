// AdamW over a model's parameters, with torch's defaults.
//
// The parameters of a model that was moved by Module::to lie in one block of memory, matrices first. Gradients and
// both moments get blocks laid out alike, so that a step is one kernel launch over all of them, the norm of the
// gradients another. Learning rate and step count live on the device: a step can be replayed as a CUDA graph.
//
// since 04_overfit; decay groups, clipping and schedules since 10_adamw
#pragma once

#include "common/kernels/adamw.h"
#include "common/nn/module.h"

namespace gpt2::optim {

struct AdamWOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01;
  bool decay_vectors = true;  // false: biases and LayerNorms, of one dimension, do not decay
};

class AdamW {
 public:
  // Fails if the parameters do not share one block: model.to(device) comes first.
  AdamW(const nn::Module& model, const AdamWOptions& options);

  void zero_grad();  // the next backward() overwrites the gradients

  // The norm of all gradients, a scalar on the device; the next step() takes them as scaled down to max_norm where it
  // is larger.
  Tensor clip_grad_norm(double max_norm);

  void set_lr(double lr);  // from the next step() on
  void step();

  // Tensors and parameters that decay, and that do not.
  struct Group {
    int64_t tensors = 0, parameters = 0;
  };
  const Group& decayed() const { return decayed_; }
  const Group& not_decayed() const { return not_decayed_; }

  // The running means of gradient and squared gradient: 1-D, laid out as the parameters' block is.
  const Tensor& first_moment() const { return first_moment_; }
  const Tensor& second_moment() const { return second_moment_; }

  // How many steps were taken; to go on with a run that was stopped, it is restored as the moments are.
  // Both wait for the device.
  int64_t steps() const;
  void set_steps(int64_t steps);

 private:
  void finish_gradients();  // zeros where backward() has not been
  AdamWState* state() const { return static_cast<AdamWState*>(state_->data()); }

  AdamWOptions options_;
  std::vector<Tensor> parameters_;
  Group decayed_, not_decayed_;
  int64_t decayed_end_ = 0;                                    // in the blocks
  Tensor weights_, gradients_, first_moment_, second_moment_;  // the four blocks, 1-D
  std::shared_ptr<Storage> state_;
  Tensor norm_, workspace_;
  double max_norm_ = 0;  // 0: the next step does not clip
};

}  // namespace gpt2::optim
