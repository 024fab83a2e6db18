// Exercise W3: the mean of the past as one matrix product.
#include "triangular.h"

#include "common/ops/ops.h"
#include "tests/exercises/todo.h"

using namespace gpt2;

Tensor past_weights(int64_t T) {
  std::vector<float> weights(static_cast<size_t>(T * T));  // zeros
  //@solution W3 weights
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t s = 0; s <= t; ++s) weights[size_t(t * T + s)] = 1 / float(t + 1);
  }
  //@stub
  //| // TODO(W3): weights[t * T + s] = how much of position s goes into position t.
  //| COURSE_TODO("W3");
  //@end
  return from_vector(weights, {T, T});
}

Tensor mean_of_past(const Tensor& x) {
  //@solution W3 means
  return matmul(past_weights(x.size(0)), x);  // (T, T) x (T, C)
  //@stub
  //| // TODO(W3): one matmul.
  //| return COURSE_TODO("W3");
  //@end
}
