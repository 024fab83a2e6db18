#include "common/dist/ddp.h"

#include <algorithm>
#include <numeric>

namespace gpt2::dist {
namespace {

std::vector<Tensor> parameters_of(const nn::Module& model) {
  std::vector<Tensor> parameters;
  for (const auto& [name, tensor] : model.named_parameters()) parameters.push_back(*tensor);
  return parameters;
}

// The whole block that a tensor is a view of.
Tensor block_of(const Tensor& view) {
  const auto& storage = view.storage();
  return Tensor(storage, 0, {int64_t(storage->bytes() / sizeof(float))}, {1}, DType::f32);
}

}  // namespace

std::vector<Bucket> make_buckets(std::vector<Tensor> parameters, int64_t bucket_bytes) {
  std::sort(parameters.begin(), parameters.end(),
            [](const Tensor& a, const Tensor& b) { return a.offset() < b.offset(); });
  std::vector<Bucket> buckets;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& p = parameters[i];
    require(p.storage() == parameters[0].storage(),
            "DistributedDataParallel: the parameters lie apart; call model.to(device) first");
    const bool fits =
        !buckets.empty() && (p.dim() >= 2) == (parameters[i - 1].dim() >= 2) &&
        (p.offset() + p.numel() - buckets.back().begin) * int64_t(sizeof(float)) <= bucket_bytes;
    if (!fits) {
      if (!buckets.empty()) buckets.back().end = p.offset();
      buckets.push_back({p.offset(), 0, {}});
    }
    buckets.back().leaves.push_back(p.variable());
  }
  if (!buckets.empty()) buckets.back().end = block_of(parameters[0]).numel();
  return buckets;
}

DistributedDataParallel::DistributedDataParallel(const nn::Module& model, const ProcessGroup& group,
                                                 int64_t bucket_bytes)
    : group_(group),
      buckets_(make_buckets(parameters_of(model), bucket_bytes)),
      order_(buckets_.size()),
      observing_(group.world_size() > 1 ? this : nullptr) {
  for (size_t i = 0; i < buckets_.size(); ++i) {
    for (const auto& leaf : buckets_[i].leaves) bucket_of_[leaf.get()] = i;
  }
  std::iota(order_.rbegin(), order_.rend(),
            size_t{0});  // a guess: backward() goes from the last layer to the first
  group_.broadcast(block_of(parameters_of(model).at(0)));
}

bool DistributedDataParallel::begin() {
  if (!require_backward_grad_sync) return false;
  missing_.clear();
  for (const Bucket& bucket : buckets_) missing_.push_back(bucket.leaves.size());
  completed_.clear();
  started_ = 0;
  is_of_model_ = false;
  return true;
}

void DistributedDataParallel::leaf_done(Variable& leaf) {
  const auto found = bucket_of_.find(&leaf);
  if (found == bucket_of_.end()) return;  // no parameter of this model
  is_of_model_ = true;
  if (--missing_[found->second] > 0) return;
  completed_.push_back(found->second);
  start_full_buckets();
}

void DistributedDataParallel::start_full_buckets() {
  while (started_ < order_.size() && missing_[order_[started_]] == 0) start(buckets_[order_[started_++]]);
}

void DistributedDataParallel::start(Bucket& bucket) {
  for (const auto& leaf : bucket.leaves) {
    require(leaf->grad.defined() && leaf->grad.storage() == buckets_[0].leaves[0]->grad.storage(),
            "DistributedDataParallel: the gradients lie apart; make the optimizer before backward()");
    if (leaf->stale) zero_(leaf->grad);  // no gradient has reached it
    leaf->stale = false;
  }
  const Tensor block = block_of(bucket.leaves[0]->grad);
  group_.start_average(block.as_strided({bucket.end - bucket.begin}, {1}, bucket.begin));
}

void DistributedDataParallel::end() {
  if (!is_of_model_) return;
  for (; started_ < order_.size(); ++started_)
    start(buckets_[order_[started_]]);  // with leaves that nothing used
  group_.wait();
  if (rounds_++ == 0) reorder();
}

// The order in which buckets were completed, then those that were not.
void DistributedDataParallel::reorder() {
  std::vector<double> order(completed_.begin(), completed_.end());
  for (size_t i = 0; i < buckets_.size(); ++i) {
    if (missing_[i] > 0) order.push_back(double(i));
  }
  if (!group_.is_master()) std::fill(order.begin(), order.end(), 0.0);
  group_.all_reduce(order);
  order_.assign(order.begin(), order.end());
}

}  // namespace gpt2::dist
