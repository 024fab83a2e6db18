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

namespace gpt2::dist {

// A run of consecutive parameters, and the part of the block in which they lie.
struct Bucket {
  int64_t begin = 0, end = 0;  // elements of the block
  std::vector<std::shared_ptr<Variable>> leaves;
};

inline constexpr int64_t kBucketBytes = int64_t{25} << 20;  // torch's bucket_cap_mb

// Cuts the block in which `parameters` lie. Matrices and vectors, which lie apart (nn::Module::to), do not
// share a bucket: the vectors of the first layer come last, and a matrix need not wait for them.
std::vector<Bucket> make_buckets(std::vector<Tensor> parameters, int64_t bucket_bytes);

class DistributedDataParallel : BackwardObserver {
 public:
  // Gives all ranks the weights of rank 0. Watches every backward() of this thread as long as it lives.
  DistributedDataParallel(const nn::Module& model, const ProcessGroup& group,
                          int64_t bucket_bytes = kBucketBytes);

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

  void start_full_buckets();
  void start(Bucket& bucket);
  void reorder();

  const ProcessGroup& group_;
  std::vector<Bucket> buckets_;
  std::map<const Variable*, size_t> bucket_of_;

  // All ranks average the buckets in one order, that in which rank 0's first backward() completed them.
  std::vector<size_t> order_, completed_;
  std::vector<size_t> missing_;  // of each bucket: leaves whose gradient is not yet final
  size_t started_ = 0;           // of order_
  bool is_of_model_ = false;     // this backward() has come to one of our leaves
  int64_t rounds_ = 0;
  Setting<BackwardObserver*, &Context::backward_observer> observing_;
};

}  // namespace gpt2::dist
