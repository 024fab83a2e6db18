// Exercise W4: weights from scores, without a look at the future.
#include "masked_scores.h"

#include <algorithm>
#include <cmath>

#include "common/ops/ops.h"
#include "tests/exercises/todo.h"

using namespace gpt2;

Tensor past_weights(const Tensor& scores, int64_t prefix) {
  const int64_t T = scores.size(0);
  //@solution W4
  std::vector<float> mask(static_cast<size_t>(T * T));  // 0: visible
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t s = std::max(t + 1, prefix); s < T; ++s) mask[size_t(t * T + s)] = -INFINITY;
  }
  return softmax(scores + from_vector(mask, {T, T}));
  //@stub
  //| // TODO(W4): hide what row t may not see, then take the softmax of each row.
  //| return COURSE_TODO("W4");
  //@end
}
