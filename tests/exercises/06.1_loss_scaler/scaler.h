#pragma once

#include <cstdint>
#include <functional>
#include <vector>

struct LossScalerOptions {
  double initial = 65536;                   // the first scale
  double growth = 2, backoff = 0.5;         // factors of the scale
  int64_t interval = 2000;                  // steps without an overflow after which the scale grows
  double smallest = 1, largest = 16777216;  // limits of the scale
};

// Keeps the gradients of a model in float16 within range: the training loop multiplies the loss by scale() before
// backward.
class LossScaler {
 public:
  explicit LossScaler(const LossScalerOptions& options) : options_(options), scale_(options.initial) {}

  double scale() const { return scale_; }

  // Takes the gradients of scale() * loss. If all are finite, divides them by the scale and calls `update`, the
  // optimizer's step. Otherwise the step is skipped: `update` is not called. Then sets the scale of the next step.
  // Returns whether `update` was called.
  bool step(std::vector<float>& gradients, const std::function<void()>& update);

 private:
  void adapt(bool overflow);

  const LossScalerOptions options_;
  double scale_;
  int64_t good_steps_ = 0;  // steps since the last overflow or growth
};
