// Exercise 10.1: a learning rate that does not need to know the end of training in advance.
#include "schedule.h"

#include <cmath>

#include "tests/exercises/todo.h"

double lr_at(int64_t step, const Schedule& schedule) {
  const auto [max_lr, min_lr, warmup, decay, steps] = schedule;
  //@solution 10.1
  if (step < warmup) return max_lr * double(step + 1) / double(warmup);
  if (step < steps - decay) return max_lr;
  if (step >= steps) return min_lr;
  const double done = double(step - (steps - decay)) / double(decay);
  return min_lr + (max_lr - min_lr) * (1 - std::sqrt(done));
  //@stub
  //| // TODO(10.1): which of the four parts is this step in?
  //| return COURSE_TODO("10.1");
  //@end
}
