// Exercise W6: all heads in one batch of matrix products.
#include "heads.h"

#include "tests/exercises/todo.h"

using namespace gpt2;

Tensor heads_at_once(const Tensor& x, const HeadWeights& weights) {
  const auto [B, T, C] = x.sizes<3>();
  const int64_t nh = weights.n_head, hs = weights.query.size(0) / nh;
  //@solution W6
  Tensor q = linear(x, weights.query, {});                                    // (B, T, nh * hs)
  Tensor k = linear(x, weights.key, {});                                      // (B, T, nh * hs)
  Tensor v = linear(x, weights.value, {});                                    // (B, T, nh * hs)
  q = q.view({B, T, nh, hs}).transpose(1, 2);                                 // (B, nh, T, hs)
  k = k.view({B, T, nh, hs}).transpose(1, 2);                                 // (B, nh, T, hs)
  v = v.view({B, T, nh, hs}).transpose(1, 2);                                 // (B, nh, T, hs)
  const Tensor att = matmul(q, k.transpose(-2, -1)) / std::sqrt(double(hs));  // (B, nh, T, T)
  const Tensor y = matmul(softmax(causal_mask(att)), v);                      // (B, nh, T, hs)
  return y.transpose(1, 2).contiguous().view({B, T, nh * hs});                // heads side by side
  //@stub
  //| // TODO(W6): heads_one_by_one without the loop: (B, T, C) -> (B, nh, T, hs) -> (B, T, nh * hs).
  //| return COURSE_TODO("W6");
  //@end
}
