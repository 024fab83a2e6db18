#include <algorithm>

#include "common/kernels/add.h"
#include "common/kernels/scale.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"
#include "common/ops/row_sum.h"

namespace gpt2 {
namespace {

bool is_suffix(const Shape& b, const Shape& a) {
  return b.size() <= a.size() && std::equal(b.rbegin(), b.rend(), a.rbegin());
}

}  // namespace

Tensor operator+(const Tensor& left, const Tensor& right) {
  require(is_suffix(right.shape(), left.shape()), "add: a is {} but b is {}", to_string(left.shape()),
          to_string(right.shape()));
  const Tensor a = left.contiguous(), b = right.contiguous();
  Tensor y = empty(a.shape(), a.device());
  DISPATCH(a.device(), add, y.data<float>(), a.data<float>(), b.data<float>(), a.numel(), b.numel());
  record({a, b}, y, [b_shape = b.shape()](Gradients& g) {
    g.add(0, g.dy());  // no copy: both inputs share dy
    if (!g.wanted(1)) return;
    if (b_shape == g.dy().shape()) {
      g.add(1, g.dy());
    } else {
      add_row_sum(g, 1, b_shape, g.dy().contiguous());
    }
  });
  return y;
}

namespace {

Tensor scaled(const Tensor& input, float factor) {
  const Tensor x = input.contiguous(), y = empty(x.shape(), x.device());
  DISPATCH(x.device(), scale, y.data<float>(), x.data<float>(), factor, x.numel());
  return y;
}

}  // namespace

Tensor operator*(const Tensor& input, double factor) {
  const Tensor x = input.contiguous();
  Tensor y = scaled(x, float(factor));
  record({x}, y, [factor](Gradients& g) { g.add(0, scaled(g.dy(), float(factor))); });
  return y;
}

}  // namespace gpt2
