// The learning rate over a run: linear warm-up, then half a cosine down to the minimum, as GPT-3's (Brown et al. 2020,
// appendix B; Loshchilov & Hutter 2017, equation 5).
//
// since 10_adamw
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace gpt2::optim {

struct CosineSchedule {
  double max_lr, min_lr;
  int64_t warmup, max_steps;  // steps of warm-up, and of the whole run

  // Of step 0, 1, ...: the first is not 0, or its step would be lost; min_lr from max_steps on.
  double operator()(int64_t step) const {
    if (step < warmup) return max_lr * double(step + 1) / double(warmup);
    if (step >= max_steps) return min_lr;
    const double progress = double(step - warmup) / double(max_steps - warmup);
    return min_lr + (max_lr - min_lr) * (1 + std::cos(std::numbers::pi * progress)) / 2;
  }
};

}  // namespace gpt2::optim
