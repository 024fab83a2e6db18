// Exercise W7: the feed-forward net and the block of a transformer.
#include "block.h"

#include "tests/exercises/todo.h"

using namespace gpt2;

Tensor FeedForward::operator()(const Tensor& x) const {
  //@solution W7 feed-forward
  return proj(gelu(fc(x)));
  //@stub
  //| // TODO(W7): Linear, GELU, Linear.
  //| return COURSE_TODO("W7");
  //@end
}

Tensor Block::operator()(Tensor x) const {
  //@solution W7 block
  x = x + attention(ln_1(x)) * gain;
  x = x + feed_forward(ln_2(x)) * gain;
  return x;
  //@stub
  //| // TODO(W7): add both branches to the stream.
  //| return COURSE_TODO("W7");
  //@end
}
