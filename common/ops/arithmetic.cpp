#include <algorithm>

#include "common/kernels/add.h"
#include "common/kernels/scale.h"
#include "common/ops/autocast.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"
#include "common/ops/row_sum.h"

namespace gpt2 {
namespace {

// y = a + b, with b repeated. y has the type of a; b has the type of a or bf16.
void sum_of(const Tensor& y, const Tensor& a, const Tensor& b) {
  with_type(a.dtype(), [&](auto wide) {
    using T = decltype(wide);
    if (b.dtype() == a.dtype()) {
      DISPATCH(y.device(), add, y.data<T>(), a.data<T>(), b.data<T>(), a.numel(), b.numel());
    } else {
      DISPATCH(y.device(), add, y.data<float>(), a.data<float>(), b.data<bf16>(), a.numel(), b.numel());
    }
  });
}

bool is_suffix(const Shape& b, const Shape& a) {
  return b.size() <= a.size() && std::equal(b.rbegin(), b.rend(), a.rbegin());
}

}  // namespace

Tensor operator+(const Tensor& left, const Tensor& right) {
  require(is_suffix(right.shape(), left.shape()), "add: a is {} but b is {}", to_string(left.shape()),
          to_string(right.shape()));
  const bool widens = left.dtype() == DType::bf16 && right.dtype() == DType::f32;
  const Tensor a = widens ? left.to(DType::f32).contiguous() : left.contiguous(), b = right.contiguous();
  Tensor y = empty(a.shape(), a.device(), a.dtype());
  sum_of(y, a, b);
  record({a, b}, y, [b_shape = b.shape(), b_type = b.dtype()](Gradients& g) {
    g.add(0, g.dy());  // without a copy: both gradients share dy
    if (!g.wanted(1)) return;
    if (b_shape == g.dy().shape()) {
      g.add(1, cast(g.dy(), b_type));
    } else {
      add_row_sum(g, 1, b_shape, g.dy().contiguous());
    }
  });
  return y;
}

namespace {

Tensor scaled(const Tensor& input, float factor) {
  const Tensor x = input.contiguous(), y = empty(x.shape(), x.device(), x.dtype());
  with_type(x.dtype(), [&](auto t) {
    using T = decltype(t);
    DISPATCH(x.device(), scale, y.data<T>(), x.data<T>(), factor, x.numel());
  });
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
