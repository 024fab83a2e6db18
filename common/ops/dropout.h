// Dropout while training, nothing at all otherwise: a guard turns it on, so that a model needs no train() and
// eval().
//
//   DropoutMasks masks(0.2, seed, device);  // once
//   for (...) {
//     masks.set_draw(step);
//     const Dropout on(masks);
//     const auto [logits, loss] = model(x, y);
//     loss.backward();
//   }
//
// Masks are worked out again wherever they are needed (common/kernels/dropout.h). Under a guard each call of
// dropout is a site of its own, 0, 1, 2, ...: a model that runs the same way gets the same masks for the same
// draw, so that a run that was stopped goes on as if it had not been.
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
  // p: the share of values that become 0, 0 <= p < 1. The first draw is 0.
  DropoutMasks(double p, uint64_t seed, Device device);

  // From now on, in stream order, other masks. Between a forward pass and its backward pass the draw must
  // stay. A CUDA graph reads it when it is replayed: set it outside the recording.
  void set_draw(int64_t draw);

  double p() const { return p_; }
  Device device() const { return draw_->device(); }

  // What the kernels want. A copy of these masks keeps the draw's memory, and sees the same draw.
  DropoutMask at(uint32_t site) const {
    return {p_, seed_, site, static_cast<const int64_t*>(draw_->data())};
  }

 private:
  double p_;
  uint64_t seed_;
  std::shared_ptr<Storage> draw_;  // one int64_t
};

// dropout() drops while one of these lives. A new one begins with site 0: one guard a forward pass.
struct Dropout : Setting<Dropout*, &Context::dropout> {
  explicit Dropout(const DropoutMasks& with) : Setting(this), masks(with) {}

  const DropoutMasks masks;
  uint32_t sites = 0;  // so far
};

// Some of x's values, picked at random, become 0; the others are divided by 1 - p. x itself without a guard,
// and where p is 0.
Tensor dropout(const Tensor& x);

}  // namespace gpt2
