// Exercise 15.1: SGD whose weights are bf16, and whose rounding errors are remembered in bf16.
#include "compensated.h"

#include "tests/exercises/todo.h"

using gpt2::bf16;

void compensated_sgd(bf16* w, bf16* c, const float* g, int64_t n, float lr) {
  //@solution 15.1
  for (int64_t i = 0; i < n; ++i) {
    const float weight = w[i], y = -lr * g[i] - c[i];
    const bf16 sum = weight + y;
    c[i] = (sum - weight) - y;
    w[i] = sum;
  }
  //@stub
  //| // TODO(15.1): update w and c. Without the compensation it would be
  //| //   w[i] = w[i] - lr * g[i];
  //| COURSE_TODO("15.1");
  //@end
}
