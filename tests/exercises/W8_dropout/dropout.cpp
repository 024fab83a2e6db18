// Exercise W8: dropout, its three places in a block, and its absence in evaluation.
#include "dropout.h"

#include <cmath>
#include <span>

#include "common/ops/autograd.h"
#include "tests/exercises/todo.h"

using namespace gpt2;

namespace {

// x and factors have the same shape and are contiguous.
Tensor multiplied(const Tensor& x, const Tensor& factors) {
  Tensor y = empty(x.shape());
  const float *a = x.data<float>(), *b = factors.data<float>();
  float* product = y.data<float>();
  for (int64_t i = 0; i < x.numel(); ++i) product[i] = a[i] * b[i];
  return y;
}

}  // namespace

Tensor DropoutLayer::drop(const Tensor& input) {
  //@solution W8 drop
  if (!training || p == 0) return input;
  const Tensor x = input.contiguous(), factors = empty(x.shape());
  const std::span<float> values(factors.data<float>(), size_t(x.numel()));
  generator.uniform(values, 0, 1);
  for (float& value : values) value = value < p ? 0 : float(1 / (1 - p));
  Tensor y = multiplied(x, factors);
  record({x}, y, [factors](Gradients& g) { g.add(0, multiplied(g.dy().contiguous(), factors)); });
  return y;
  //@stub
  //| // TODO(W8): each value becomes 0 with probability p. `generator.uniform(std::span<float>, 0, 1)` draws;
  //| // record() tells backward() what was done. And if this is no training?
  //| return COURSE_TODO("W8");
  //@end
}

Tensor SelfAttention::operator()(const Tensor& x) const {
  const auto [B, T, C] = x.sizes<3>();
  const auto heads = [&, B = B, T = T, C = C](const Tensor& part) {
    return part.view({B, T, n_head, C / n_head}).transpose(1, 2);  // (B, nh, T, hs)
  };
  const auto [q, k, v] = split<3>(qkv(x), 2);  // each (B, T, C)
  const double scale = 1 / std::sqrt(double(C / n_head));
  //@solution W8 attention
  Tensor att = matmul(heads(q), heads(k).transpose(-2, -1)) * scale;  // (B, nh, T, T)
  att = dropout(softmax(causal_mask(att)));
  const Tensor y = matmul(att, heads(v));  // (B, nh, T, hs)
  return dropout(proj(y.transpose(1, 2).contiguous().view({B, T, C})));
  //@stub
  //| // TODO(W8): attention as ever, with dropout in two places.
  //| return COURSE_TODO("W8");
  //@end
}

Tensor FeedForward::operator()(const Tensor& x) const {
  //@solution W8 feed-forward
  return dropout(proj(gelu(fc(x))));
  //@stub
  //| // TODO(W8): Linear, GELU, Linear, dropout.
  //| return COURSE_TODO("W8");
  //@end
}

double estimate_loss(Model& model, const Tensor& x, const Tensor& y) {
  //@solution W8 estimate
  const NoGrad no_grad;
  const bool before = std::exchange(model.dropout.training, false);
  const double loss = cross_entropy(model(x), y).item();
  model.dropout.training = before;
  return loss;
  //@stub
  //| // TODO(W8)
  //| return COURSE_TODO("W8");
  //@end
}

Sizes scaled_up(int64_t vocab_size) {
  //@solution W8 scaled up
  return {
      .vocab_size = vocab_size, .block_size = 256, .n_layer = 6, .n_head = 6, .n_embd = 384, .dropout = 0.2};
  //@stub
  //| // TODO(W8): the numbers at 1:38 of the lecture.
  //| return COURSE_TODO("W8");
  //@end
}
