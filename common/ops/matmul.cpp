#include "common/kernels/matmul.h"

#include <algorithm>
#include <numeric>

#include "common/ops/autocast.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/linear.h"
#include "common/ops/ops.h"

namespace gpt2 {
namespace {

MatrixView matrix_view(const Tensor& x) {
  MatrixView view{write(x), x.dtype(), x.size(-2), x.size(-1), x.stride(-2), x.stride(-1)};
  if (x.dim() == 4) view.batch_stride[0] = x.stride(0);
  if (x.dim() >= 3) view.batch_stride[1] = x.stride(-3);
  return view;
}

// c = a b. A result with transposed strides is computed as its transpose, b^T a^T.
void multiply(const Tensor& c, const Tensor& a, const Tensor& b) {
  require(a.dtype() == b.dtype(), "matmul: a is {} but b is {}", to_string(a.dtype()), to_string(b.dtype()));
  Matmul product{matrix_view(a), matrix_view(b), matrix_view(c)};
  product.precision = context().matmul_precision;
  if (c.dim() == 4) product.batch[0] = c.size(0);
  if (c.dim() >= 3) product.batch[1] = c.size(-3);
  if (product.c.col_stride != 1) {
    std::swap(product.a, product.b);
    for (auto* operand : {&product.a, &product.b}) *operand = operand->transposed();
    product.c = product.c.transposed();
  }
  DISPATCH(c.device(), matmul, product);
}

// A new tensor whose dimensions have the same order in memory as those of x, but no gaps. If x is a strided
// view of the heads in a packed buffer, its gradient can become a packed buffer again without a copy.
Tensor empty_like_strided(const Tensor& x, DType dtype) {
  std::vector<size_t> order(x.shape().size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t i, size_t j) { return x.strides()[i] > x.strides()[j]; });
  Shape strides(order.size());
  int64_t stride = 1;
  for (size_t i = order.size(); i-- > 0; stride *= x.shape()[order[i]]) strides[order[i]] = stride;
  return empty(x.shape(), x.device(), dtype).as_strided(x.shape(), strides, 0);
}

Tensor transposed(const Tensor& x) {
  Shape shape = x.shape(), strides = x.strides();
  std::swap(shape[shape.size() - 2], shape[shape.size() - 1]);
  std::swap(strides[strides.size() - 2], strides[strides.size() - 1]);
  return x.as_strided(shape, strides, x.offset());
}

// da and db get the types that the inputs had before autocast rounded them.
void backward(Gradients& g, const Tensor& a, const Tensor& b, DType a_type, DType b_type) {
  if (g.wanted(0)) {
    const Tensor da = empty_like_strided(a, a_type);
    multiply(da, g.dy(), transposed(b));
    g.add(0, da);
  }
  if (g.wanted(1)) {
    const Tensor db = empty_like_strided(b, b_type);
    multiply(db, transposed(a), g.dy());
    g.add(1, db);
  }
}

// A view that a matrix product can read in place: one of the last two strides is 1.
Tensor readable(const Tensor& x, DType dtype) {
  const bool in_place = x.dtype() == dtype && (x.stride(-1) == 1 || x.stride(-2) == 1);
  return in_place ? saved(x) : cast(x, dtype);
}

}  // namespace

Tensor matmul(const Tensor& left, const Tensor& right) {
  const bool same_batch = left.dim() == right.dim() && left.dim() >= 2 && left.dim() <= 4 &&
                          std::equal(left.shape().begin(), left.shape().end() - 2, right.shape().begin());
  require(same_batch && left.size(-1) == right.size(-2), "matmul: a is {} but b is {}",
          to_string(left.shape()), to_string(right.shape()));
  const DType dtype = matmul_dtype(left);
  const Tensor a = readable(left, dtype), b = readable(right, dtype);
  Shape shape = a.shape();
  shape.back() = b.size(-1);
  Tensor y = empty(shape, a.device(), dtype);
  multiply(y, a, b);
  record({left, right}, y, [a, b, a_type = left.dtype(), b_type = right.dtype()](Gradients& g) {
    backward(g, a, b, a_type, b_type);
  });
  return y;
}

}  // namespace gpt2
