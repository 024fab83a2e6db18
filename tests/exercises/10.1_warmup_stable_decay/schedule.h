#pragma once

#include <cstdint>

struct Schedule {
  double max_lr, min_lr;
  int64_t warmup;  // steps in which the learning rate rises; 0: none
  int64_t decay;   // the last steps, in which it falls; 0: none
  int64_t steps;   // all steps; at least warmup + decay
};

// The learning rate of a step, counted from 0.
double lr_at(int64_t step, const Schedule& schedule);
