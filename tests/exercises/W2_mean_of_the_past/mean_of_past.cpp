// Exercise W2: each position gets the mean of itself and of the positions before it.
#include "mean_of_past.h"

#include "tests/exercises/todo.h"

std::vector<float> mean_of_past(const std::vector<float>& x, int64_t T, int64_t C) {
  std::vector<float> y(x.size());
  //@solution W2
  std::vector<double> sum(static_cast<size_t>(C));
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t c = 0; c < C; ++c) {
      const size_t i = size_t(t * C + c);
      sum[size_t(c)] += double(x[i]);
      y[i] = float(sum[size_t(c)] / double(t + 1));
    }
  }
  //@stub
  //| // TODO(W2): y[t * C + c] = the mean of x[0 * C + c], ..., x[t * C + c].
  //| COURSE_TODO("W2");
  //@end
  return y;
}
