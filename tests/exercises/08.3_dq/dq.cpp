// Exercise 08.3: the gradient of the queries, without a T x T matrix.
#include "dq.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/exercises/todo.h"

namespace {

float dot(const float* a, const float* b, int64_t n) { return std::inner_product(a, a + n, b, 0.0f); }

}  // namespace

void attention_dq(float* dq, const CappedHead& a) {
  //@solution 08.3
  const int64_t hs = a.hs;
  std::fill_n(dq, a.T * hs, 0.0f);
  for (int64_t i = 0; i < a.T; ++i) {
    const float *q = a.q + i * hs, *dy = a.dy + i * hs;
    const float D = dot(dy, a.y + i * hs, hs);  // the sum over j of p_j dp_j
    for (int64_t j = 0; j <= i; ++j) {
      const float* k = a.k + j * hs;
      const float t = std::tanh(a.scale * dot(q, k, hs) / a.cap);  // the capped score is cap * t
      const float p = std::exp(a.cap * t - a.log_sum_exp[i]), dp = dot(dy, a.v + j * hs, hs);
      const float dscore = p * (dp - D) * (1 - t * t);
      for (int64_t c = 0; c < hs; ++c) dq[i * hs + c] += a.scale * dscore * k[c];
    }
  }
  //@stub
  //| // TODO(08.3): dq[i * hs + c], for every query i and channel c. dot(x, y, n) is there.
  //| COURSE_TODO("08.3");
  //@end
}
