// Dropout for training. A guard turns it on; without a guard dropout() does nothing. So a model needs no
// train() and eval().
//
//   DropoutMasks masks(0.2, seed, device);  // once
//   for (...) {
//     masks.set_draw(step);  // another number, other masks
//     const Dropout on(masks);
//     const auto [logits, loss] = model(x, y);
//     loss.backward();
//   }
//
// Masks are not stored but computed again when needed (common/kernels/dropout.h). Under a guard the calls of
// dropout() are numbered as sites 0, 1, 2, ... So a model that calls them in the same order gets the same
// masks for the same draw, and a resumed run computes what the uninterrupted run would have computed.
//
// since 13_fineweb
#pragma once

#include <memory>

#include "common/kernels/dropout.h"
#include "common/tensor/context.h"
#include "common/tensor/tensor.h"

namespace gpt2 {

class DropoutMasks {
 public:
  // p, 0 <= p < 1, is the probability that a value becomes 0. The first draw is 0.
  DropoutMasks(double p, uint64_t seed, Device device);

  // Selects the masks of all work that is queued from now on. The draw must not change between a forward pass
  // and its backward pass. A CUDA graph reads the draw when it is replayed, so set it outside the recording.
  void set_draw(int64_t draw);

  double p() const { return p_; }
  Device device() const { return draw_->device(); }

  // The mask of one site, for the kernels. A copy of DropoutMasks shares the memory of the draw.
  DropoutMask at(uint32_t site) const {
    return {p_, seed_, site, static_cast<const int64_t*>(draw_->data())};
  }

 private:
  double p_;
  uint64_t seed_;
  std::shared_ptr<Storage> draw_;  // one int64_t
};

// The guard: dropout() drops values while it lives. A new guard begins with site 0, so use one per forward
// pass.
struct Dropout : Setting<Dropout*, &Context::dropout> {
  explicit Dropout(const DropoutMasks& with) : Setting(this), masks(with) {}

  const DropoutMasks masks;
  uint32_t sites = 0;  // number of dropout() calls so far
};

// Sets randomly chosen values of x to 0 and divides the others by 1 - p. Returns x itself if there is no
// guard or p is 0.
Tensor dropout(const Tensor& x);

}  // namespace gpt2
