// Exercise 08.1: the softmax of two sets of keys from those of each.
#include "partial.h"

#include <algorithm>
#include <cmath>

#include "tests/exercises/todo.h"

Partial partial_of(float score, float value) {
  //@solution 08.1 one
  if (score == -INFINITY) return {-INFINITY, 0, 0};
  return {score, 1, value};
  //@stub
  //| // TODO(08.1): m, l and a of one key.
  //| return COURSE_TODO("08.1");
  //@end
}

Partial merge(const Partial& x, const Partial& y) {
  //@solution 08.1 merge
  const float m = std::max(x.m, y.m);
  if (m == -INFINITY) return x;  // both are empty, and -inf - -inf is NaN
  const float of_x = std::exp(x.m - m), of_y = std::exp(y.m - m);
  return {m, of_x * x.l + of_y * y.l, of_x * x.a + of_y * y.a};
  //@stub
  //| // TODO(08.1): the new maximum, and what the old sums must be multiplied with.
  //| return COURSE_TODO("08.1");
  //@end
}

float output(const Partial& x) {
  //@solution 08.1 output
  return x.a / x.l;
  //@stub
  //| // TODO(08.1)
  //| return COURSE_TODO("08.1");
  //@end
}
