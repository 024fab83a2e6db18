// Data parallel training: every rank has the whole model and its own part of the batch, and the gradients are
// averaged, as by torch's DistributedDataParallel.
//
//   optim::AdamW optimizer(model, ...);
//   dist::DistributedDataParallel ddp(model, group);
//   for (micro = 0; micro < grad_accum_steps; ++micro) {
//     ddp.require_backward_grad_sync = micro == grad_accum_steps - 1;
//     const auto [logits, loss] = model(x, y);
//     (loss / grad_accum_steps).backward();       // the last one averages
//   }
//   optimizer.step();
//
// The gradients lie in one block (common/optim/adamw.h), which is cut into buckets of about 25 MB. backward()
// goes through the model from its end; as soon as all gradients of a bucket are final, the bucket is
// averaged, while backward() goes on with the layers before. The average is the sum over ranks divided by
// their number, which is done where the sum is made, and nowhere else.
//
// since 12_ddp
#pragma once

#include <map>
#include <vector>

#include "common/dist/process_group.h"
#include "common/nn/module.h"
#include "common/ops/autograd.h"
#include "common/optim/partition.h"

namespace gpt2::dist {

// A run of consecutive parameters, and the part of the block in which they lie.
struct Bucket {
  int64_t begin = 0, end = 0;  // elements of the block
  std::vector<std::shared_ptr<Variable>> leaves;
  bool is_divided = false;  // each rank gets the average of its part
};

inline constexpr int64_t kBucketBytes = int64_t{25} << 20;  // torch's bucket_cap_mb

// Cuts the block in which `parameters` lie. Matrices and vectors, which lie apart (nn::Module::to), do not
// share a bucket: the vectors of the first layer come last, and a matrix need not wait for them.
std::vector<Bucket> make_buckets(std::vector<Tensor> parameters, int64_t bucket_bytes);

// The slices of a partition as buckets, and what is not divided as the last one. A parameter may reach into several.
// since 17_zero
std::vector<Bucket> make_buckets(const std::vector<Tensor>& parameters, const optim::Partition& partition);

class DistributedDataParallel : BackwardObserver {
 public:
  // Gives all ranks the weights of rank 0. Watches every backward() of this thread as long as it lives.
  DistributedDataParallel(const nn::Module& model, const ProcessGroup& group,
                          int64_t bucket_bytes = kBucketBytes);

  // For an optimizer that is divided among the ranks: backward() gives each rank the average of its part of the
  // gradients only.   since 17_zero
  DistributedDataParallel(const nn::Module& model, const ProcessGroup& group,
                          const optim::Partition& partition);

  // Gives all ranks the weights that each of them has updated. Call it after the optimizer's step.   since 17_zero
  void gather_weights() const;

  // Whether backward() averages the gradients: false for all micro-batches of a step but the last. To be set
  // before the forward pass, as torch demands.
  bool require_backward_grad_sync = true;

  // How often the gradients have been averaged: every bucket once. One an optimizer step.
  int64_t rounds() const { return rounds_; }
  size_t num_buckets() const { return buckets_.size(); }

 private:
  bool begin() override;
  void leaf_done(Variable& leaf) override;
  void end() override;

  DistributedDataParallel(const nn::Module& model, const ProcessGroup& group, std::vector<Bucket> buckets);

  void start_full_buckets();
  void start(Bucket& bucket);
  void reorder();

  const ProcessGroup& group_;
  std::vector<Bucket> buckets_;
  std::multimap<const Variable*, size_t> buckets_of_;
  Tensor weights_;  // the whole block

  // All ranks average the buckets in one order, that in which rank 0's first backward() completed them.
  std::vector<size_t> order_, completed_;
  std::vector<size_t> missing_;  // of each bucket: leaves whose gradient is not yet final
  size_t started_ = 0;           // of order_
  bool is_of_model_ = false;     // this backward() has come to one of our leaves
  int64_t rounds_ = 0;
  Setting<BackwardObserver*, &Context::backward_observer> observing_;
};

}  // namespace gpt2::dist
