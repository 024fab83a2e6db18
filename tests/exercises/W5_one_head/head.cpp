// Exercise W5: one head of causal self-attention.
#include "head.h"

#include <cmath>

#include "tests/exercises/todo.h"

using namespace gpt2;

Tensor Head::scores(const Tensor& x) const {
  //@solution W5 scores
  const Tensor q = query(x), k = key(x);                                  // (B, T, hs)
  return matmul(q, k.transpose(-2, -1)) / std::sqrt(double(q.size(-1)));  // (B, T, T)
  //@stub
  //| // TODO(W5): the dot product of each query with each key, scaled.
  //| return COURSE_TODO("W5");
  //@end
}

Tensor Head::operator()(const Tensor& x) const {
  //@solution W5 output
  return matmul(softmax(causal_mask(scores(x))), value(x));  // (B, T, T) x (B, T, hs)
  //@stub
  //| // TODO(W5): the mean of the values, weighted by the softmax of the masked scores.
  //| return COURSE_TODO("W5");
  //@end
}
