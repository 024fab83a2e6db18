// Exercise 04.2: cross entropy that leaves out rows.
#include "ignore_index.h"

#include <algorithm>
#include <cmath>

#include "common/ops/autograd.h"
#include "tests/exercises/todo.h"

using namespace gpt2;

namespace {

// log(exp(row[0]) + ... + exp(row[V - 1])); shifted by the maximum, so that exp does not overflow.
float log_sum_exp(const float* row, int64_t V) {
  const float largest = *std::max_element(row, row + V);
  double sum = 0;
  for (int64_t j = 0; j < V; ++j) sum += std::exp(double(row[j]) - largest);
  return largest + float(std::log(sum));
}

void backward(Gradients& g, const Tensor& logits, const Tensor& targets, int32_t ignore_index) {
  const auto [rows, V] = logits.sizes<2>();
  const float *x = logits.data<float>(), dloss = *g.dy().data<float>();
  const int32_t* target = targets.data<int32_t>();
  const Tensor dlogits = empty({rows, V});
  float* dx = dlogits.data<float>();
  //@solution 04.2 backward
  const int64_t kept = rows - std::count(target, target + rows, ignore_index);
  for (int64_t row = 0; row < rows; ++row) {
    const bool ignored = target[row] == ignore_index;
    const float total = ignored ? 0 : log_sum_exp(x + row * V, V);
    for (int64_t j = 0; j < V; ++j) {
      const int64_t i = row * V + j;
      dx[i] = ignored ? 0 : (std::exp(x[i] - total) - (j == target[row])) * dloss / float(kept);
    }
  }
  //@stub
  //| // TODO(04.2): write dx, (rows, V): the gradient of the loss times dloss.
  //| COURSE_TODO("04.2");
  //@end
  g.add(0, dlogits);
}

}  // namespace

Tensor cross_entropy_ignoring(const Tensor& logits, const Tensor& targets, int32_t ignore_index) {
  const auto [rows, V] = logits.sizes<2>();
  const float* x = logits.data<float>();
  const int32_t* target = targets.data<int32_t>();
  Tensor loss = empty({});
  //@solution 04.2 forward
  double sum = 0;
  int64_t kept = 0;
  for (int64_t row = 0; row < rows; ++row) {
    if (target[row] == ignore_index) continue;
    sum += log_sum_exp(x + row * V, V) - x[row * V + target[row]];
    ++kept;
  }
  *loss.data<float>() = kept == 0 ? 0 : float(sum / double(kept));
  //@stub
  //| // TODO(04.2): *loss.data<float>() = ...
  //| COURSE_TODO("04.2");
  //@end
  record({logits}, loss, [logits = saved(logits), targets, ignore_index](Gradients& g) {
    backward(g, logits, targets, ignore_index);
  });
  return loss;
}
