// AdamW over a model's parameters, with torch's defaults.
//
// After Module::to, the parameters of a model lie in one block of memory, matrices first. The gradients and
// both moments get blocks with the same layout, so that a step is one kernel launch over all parameters, and
// the gradient norm is another. Learning rate and step count live on the device, so that a step can be
// replayed as a CUDA graph.
//
// The parameters of a model in bf16 have gradients in bf16. The moments stay float32, and so do the master weights: the
// exact sums of all updates, of which the parameters are the rounded values.
//
// since 04_overfit; decay groups and clipping since 10_adamw; bf16 parameters since 15_bf16_weights
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/kernels/adamw.h"
#include "common/nn/module.h"
#include "common/ops/autocast.h"
#include "common/optim/partition.h"

namespace gpt2::optim {

struct AdamWOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01;
  // For bf16 parameters; others ignore them.   since 15_bf16_weights
  bool master_weights = true;  // false: each step updates the rounded values
  uint64_t rounding_seed = 0;  // of stochastic rounding (common/kernels/stochastic_rounding.h)
  // Of several ranks, each keeps and updates a part.   since 17_zero
  int rank = 0, world_size = 1;
};

// Parameters that share a weight decay, as in torch's param_groups.   since 10_adamw
struct ParameterGroup {
  std::vector<Tensor> parameters;
  double weight_decay;
};

class AdamW {
 public:
  // Applies weight decay to all parameters of the model. Throws if they do not share one block; call
  // model.to(device) first.
  AdamW(const nn::Module& model, const AdamWOptions& options);

  // Two groups: weight decay applies to the first and not to the second; options.weight_decay is ignored. A
  // step is one launch, so the first group must lie before the second in memory (matrices lie before
  // vectors); throws if it does not. A step also writes the bf16 copies that matrix products read under autocast.
  // since 10_adamw
  AdamW(const ParameterGroup& decayed, const ParameterGroup& not_decayed, const AdamWOptions& options);

  void zero_grad();  // the next backward() overwrites the gradients

  // Returns the norm of all gradients, a scalar on the device. If it exceeds max_norm, the next step() scales
  // the gradients down to max_norm.   since 10_adamw
  Tensor clip_grad_norm(double max_norm);

  // The sums of squares of this rank's part of the gradients, and 0 elsewhere: one for each chunk of the block
  // (common/kernels/global_norm.h), in memory that stays the same. With the sums over all ranks, clip_grad_norm() gives the
  // norm of all gradients on every rank.   since 17_zero
  Tensor sum_squares();
  Tensor clip_grad_norm(double max_norm, const Tensor& squares);

  void set_lr(double lr);  // applies from the next step() on
  void step();
  void skip_step();  // counts a step, but updates nothing.   since 17_zero

  // The running means of gradient and squared gradient: 1-D, with the same layout as the block of the
  // parameters, or this rank's parts of it, one behind the other.
  const Tensor& first_moment() const { return first_moment_; }
  const Tensor& second_moment() const { return second_moment_; }

  // What the optimizer remembers, by its name in a checkpoint: the moments, and the master weights, if there are any.
  struct NamedBlock {
    std::string name;
    Tensor block;
  };
  std::vector<NamedBlock> blocks() const;
  const Partition& partition() const { return *partition_; }

  // The number of steps taken. To resume a run, restore it together with the moments. Both functions wait for
  // the device.
  int64_t steps() const;
  void set_steps(int64_t steps);

 private:
  void make_blocks();
  void finish_gradients();  // sets the gradients that backward() has not reached to zero
  template <class G>
  void update(const Range& part, int64_t kept);
  void point_to_weights(AdamWBlock<float>& block, const Tensor& weights, const Tensor& masters);
  void point_to_weights(AdamWBlock<bf16>& block, const Tensor& weights, const Tensor& masters);
  AdamWState* state() const { return static_cast<AdamWState*>(state_->data()); }

  AdamWOptions options_;
  std::optional<Partition> partition_;
  std::vector<Tensor> parameters_;
  std::vector<Range> gaps_;                                    // of the block, between parameters
  int64_t decayed_end_ = 0;                                    // values before this offset decay
  Tensor weights_, gradients_, first_moment_, second_moment_;  // the blocks, 1-D
  Tensor master_weights_;                // undefined: the weights are float32, or nobody wants it
  std::shared_ptr<Bf16Copy> bf16_copy_;  // null: autocast rounds the weights in every step
  std::shared_ptr<Storage> state_;
  Tensor norm_, squares_;
  double max_norm_ = 0;  // 0: the next step does not clip
};

}  // namespace gpt2::optim
