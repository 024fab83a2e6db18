// Exercise 06.1: the scale of the loss for training in float16.
#include "scaler.h"

#include <algorithm>
#include <cmath>

#include "tests/exercises/todo.h"

// Sets the scale for the next step.
void LossScaler::adapt(bool overflow) {
  //@solution 06.1 adapt
  if (overflow) {
    scale_ = std::max(scale_ * options_.backoff, options_.smallest);
    good_steps_ = 0;
  } else if (++good_steps_ == options_.interval) {
    scale_ = std::min(scale_ * options_.growth, options_.largest);
    good_steps_ = 0;
  }
  //@stub
  //| // TODO(06.1): after an overflow, and after `interval` steps without one.
  //| COURSE_TODO("06.1");
  //@end
}

bool LossScaler::step(std::vector<float>& gradients, const std::function<void()>& update) {
  //@solution 06.1 step
  const bool finite =
      std::all_of(gradients.begin(), gradients.end(), [](float value) { return std::isfinite(value); });
  if (finite) {
    for (float& value : gradients) value = float(value / scale_);
    update();
  }
  adapt(!finite);
  return finite;
  //@stub
  //| // TODO(06.1): are all gradients finite? Then divide them, and call update(). In any case call adapt().
  //| return COURSE_TODO("06.1");
  //@end
}
