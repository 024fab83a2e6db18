// Exercise 09.2: a loss over the first V of Vp columns.
#include "padded_loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/ops/autograd.h"
#include "tests/exercises/todo.h"

using namespace gpt2;

namespace {

// log(exp(x[0]) + ... + exp(x[n - 1])); shifted by the maximum, so that exp does not overflow.
float log_sum_exp(const float* x, int64_t n) {
  const float largest = *std::max_element(x, x + n);
  double sum = 0;
  for (int64_t j = 0; j < n; ++j) sum += std::exp(double(x[j]) - largest);
  return largest + float(std::log(sum));
}

void backward(Gradients& g, const Tensor& logits, const Tensor& targets, int64_t V, float smoothing) {
  const auto [rows, Vp] = logits.sizes<2>();
  const Tensor dlogits = empty({rows, Vp});
  const float factor = *g.dy().data<float>() / float(rows);
  const int32_t* target = targets.data<int32_t>();
  for (int64_t row = 0; row < rows; ++row) {
    const float* x = logits.data<float>() + row * Vp;
    float* dx = dlogits.data<float>() + row * Vp;
    //@solution 09.2 backward
    const float total = log_sum_exp(x, V);
    for (int64_t j = 0; j < V; ++j) {
      const float wanted = smoothing / float(V) + (j == target[row] ? 1 - smoothing : 0);
      dx[j] = (std::exp(x[j] - total) - wanted) * factor;
    }
    std::fill(dx + V, dx + Vp, 0.0f);
    //@stub
    //| // TODO(09.2): the Vp values dx[j]: the gradient of this row's loss, times factor.
    //| COURSE_TODO("09.2");
    //@end
  }
  g.add(0, dlogits);
}

}  // namespace

Tensor padded_loss(const Tensor& logits, const Tensor& targets, int64_t V, float smoothing) {
  const auto [rows, Vp] = logits.sizes<2>();
  const int32_t* target = targets.data<int32_t>();
  double sum = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const float* x = logits.data<float>() + row * Vp;
    //@solution 09.2 forward
    const double mean = std::accumulate(x, x + V, 0.0) / double(V);
    sum += log_sum_exp(x, V) - (1 - smoothing) * x[target[row]] - smoothing * mean;
    //@stub
    //| // TODO(09.2): add this row's loss to sum.
    //| COURSE_TODO("09.2");
    //@end
  }
  Tensor loss = empty({});
  *loss.data<float>() = float(sum / double(rows));
  record({logits}, loss, [logits = saved(logits), targets, V, smoothing](Gradients& g) {
    backward(g, logits, targets, V, smoothing);
  });
  return loss;
}
