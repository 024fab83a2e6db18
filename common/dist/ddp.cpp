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
  const DType dtype = view.dtype();
  return Tensor(storage, 0, {int64_t(storage->bytes() / size_of(dtype))}, {1}, dtype);
}

Tensor part_of(const Tensor& block, const Bucket& bucket) {
  return block.as_strided({bucket.end - bucket.begin}, {1}, bucket.begin);
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
        (p.offset() + p.numel() - buckets.back().begin) * int64_t(size_of(p.dtype())) <= bucket_bytes;
    if (!fits) {
      if (!buckets.empty()) buckets.back().end = p.offset();
      buckets.push_back({.begin = p.offset(), .end = 0, .leaves = {}});
    }
    buckets.back().leaves.push_back(p.variable());
  }
  if (!buckets.empty()) buckets.back().end = block_of(parameters[0]).numel();
  return buckets;
}

std::vector<Bucket> make_buckets(const std::vector<Tensor>& parameters, const optim::Partition& partition) {
  std::vector<Bucket> buckets;
  for (const optim::Range& slice : partition.slices())
    buckets.push_back({.begin = slice.begin, .end = slice.end, .leaves = {}, .is_divided = true});
  const optim::Range rest = partition.undivided();
  if (rest.size() > 0) buckets.push_back({.begin = rest.begin, .end = rest.end, .leaves = {}});
  for (Bucket& bucket : buckets) {
    for (const Tensor& p : parameters) {
      if (p.offset() < bucket.end && p.offset() + p.numel() > bucket.begin)
        bucket.leaves.push_back(p.variable());
    }
  }
  std::erase_if(buckets, [](const Bucket& bucket) { return bucket.leaves.empty(); });  // padding
  return buckets;
}

DistributedDataParallel::DistributedDataParallel(const nn::Module& model, const ProcessGroup& group,
                                                 int64_t bucket_bytes)
    : DistributedDataParallel(model, group, make_buckets(parameters_of(model), bucket_bytes)) {}

DistributedDataParallel::DistributedDataParallel(const nn::Module& model, const ProcessGroup& group,
                                                 const optim::Partition& partition)
    : DistributedDataParallel(model, group, make_buckets(parameters_of(model), partition)) {}

DistributedDataParallel::DistributedDataParallel(const nn::Module& model, const ProcessGroup& group,
                                                 std::vector<Bucket> buckets)
    : group_(group),
      buckets_(std::move(buckets)),
      weights_(block_of(parameters_of(model).at(0))),
      order_(buckets_.size()),
      observing_(group.world_size() > 1 ? this : nullptr) {
  for (size_t i = 0; i < buckets_.size(); ++i) {
    for (const auto& leaf : buckets_[i].leaves) buckets_of_.emplace(leaf.get(), i);
  }
  std::iota(order_.rbegin(), order_.rend(),
            size_t{0});  // a guess: backward() goes from the last layer to the first
  group_.broadcast(weights_);
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
  const auto [first, last] = buckets_of_.equal_range(&leaf);
  for (auto found = first; found != last; ++found) {  // none: no parameter of this model
    is_of_model_ = true;
    if (--missing_[found->second] == 0) completed_.push_back(found->second);
  }
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
  const Tensor gradients = part_of(block_of(bucket.leaves[0]->grad), bucket);
  bucket.is_divided ? group_.start_average_scatter(gradients) : group_.start_average(gradients);
}

void DistributedDataParallel::gather_weights() const {
  for (const Bucket& bucket : buckets_) {
    if (bucket.is_divided) group_.start_all_gather(part_of(weights_, bucket));
  }
  group_.wait();
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
