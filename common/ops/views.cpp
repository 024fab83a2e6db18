// Views: the same storage with other strides. Their gradients are views too, except when the parts of a split
// have to be joined.
#include <algorithm>
#include <optional>

#include "common/kernels/copy.h"
#include "common/ops/autocast.h"
#include "common/ops/autograd.h"
#include "common/ops/dispatch.h"
#include "common/ops/ops.h"
#include "common/ops/pad.h"

namespace gpt2 {
namespace {

// to[...] = from[...] for any strides, any two types, and at most four dimensions.
void copy_elements(const Tensor& to, const Tensor& from) {
  require(to.shape() == from.shape() && to.dim() <= 4, "copy: cannot copy {} into {}",
          to_string(from.shape()), to_string(to.shape()));
  Dims4 shape{1, 1, 1, 1}, to_strides{}, from_strides{};
  std::copy_backward(to.shape().begin(), to.shape().end(), shape.end());
  std::copy_backward(to.strides().begin(), to.strides().end(), to_strides.end());
  std::copy_backward(from.strides().begin(), from.strides().end(), from_strides.end());
  with_type(to.dtype(), [&](auto y) {
    with_type(from.dtype(), [&](auto x) {
      using Y = decltype(y);
      using X = decltype(x);
      DISPATCH(to.device(), copy_strided, to.data<Y>(), from.data<X>(), shape, to_strides, from_strides);
    });
  });
}

// Returns the strides of a view of x with another shape, if this needs no copy. Dimensions of x that are
// contiguous in memory form a chunk; the dimensions of `shape` must divide each chunk separately.
std::optional<Shape> view_strides(const Tensor& x, const Shape& shape) {
  if (x.numel() == 0) return contiguous_strides(shape);
  Shape strides(shape.size());
  size_t to = shape.size();       // the strides of dimensions of `shape` from here on are known
  int64_t chunk = 1, viewed = 1;  // elements of the chunk so far, in x and in `shape`
  int64_t innermost = x.dim() > 0 ? x.stride(-1) : 1;
  for (size_t from = x.shape().size(); from-- > 0;) {
    chunk *= x.shape()[from];
    const bool goes_on = from > 0 && (x.shape()[from - 1] == 1 || x.strides()[from - 1] == chunk * innermost);
    if (goes_on) continue;
    while (to > 0 && (viewed < chunk || shape[to - 1] == 1)) {
      strides[--to] = viewed * innermost;
      viewed *= shape[to];
    }
    if (viewed != chunk) return std::nullopt;
    if (from > 0) innermost = x.strides()[from - 1];
    chunk = viewed = 1;
  }
  while (to > 0) strides[--to] = innermost;  // leading dimensions of size one
  return strides;
}

// x in another shape: a view if its strides allow it, otherwise a copy.
Tensor reshaped(const Tensor& x, const Shape& shape) {
  if (const auto strides = view_strides(x, shape)) return x.as_strided(shape, *strides, x.offset());
  const Tensor copy = x.contiguous();
  return copy.as_strided(shape, contiguous_strides(shape), 0);
}

Tensor swapped(const Tensor& x, size_t dim0, size_t dim1) {
  Shape shape = x.shape(), strides = x.strides();
  std::swap(shape[dim0], shape[dim1]);
  std::swap(strides[dim0], strides[dim1]);
  return x.as_strided(shape, strides, x.offset());
}

Tensor zeros(const Shape& shape, Device device, DType dtype) {
  const Tensor x = empty(shape, device, dtype);
  zero_(x);
  return x;
}

Tensor part(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  Shape shape = x.shape();
  shape[size_t(dim)] = length;
  return x.as_strided(shape, x.strides(), x.offset() + start * x.stride(dim));
}

// True if the gradients of the parts of a split are laid out like the parts; then they already form a packed
// buffer.
bool lie_packed(Gradients& g, const Shape& strides, int64_t parts, int64_t dim, int64_t length) {
  for (int64_t i = 0; i < parts; ++i) {
    const Tensor &first = g.dy(0), &dy = g.dy(size_t(i));
    if (!dy.defined() || dy.storage() != first.storage() || dy.strides() != strides ||
        dy.offset() != first.offset() + i * length * strides[size_t(dim)]) {
      return false;
    }
  }
  return true;
}

// The gradient of the tensor that was split, joined from the gradients of its parts. A part that nothing
// depends on gives zeros.
Tensor joined(Gradients& g, const Shape& shape, Device device, DType dtype, int64_t parts, int64_t dim) {
  const int64_t length = shape[size_t(dim)] / parts;
  const Shape strides = contiguous_strides(shape);
  if (lie_packed(g, strides, parts, dim, length)) {
    return g.dy(0).as_strided(shape, strides, g.dy(0).offset());
  }
  bool all_reached = true;
  for (int64_t i = 0; i < parts; ++i) all_reached = all_reached && g.dy(size_t(i)).defined();
  const Tensor dx = all_reached ? empty(shape, device, dtype) : zeros(shape, device, dtype);
  for (int64_t i = 0; i < parts; ++i) {
    const Tensor& dy = g.dy(size_t(i));
    if (dy.defined()) copy_elements(part(dx, dim, i * length, length), dy);
  }
  return dx;
}

// Replaces a -1 by the inferred size.
Shape resolved(Shape shape, const Tensor& x) {
  const auto unknown = std::find(shape.begin(), shape.end(), -1);
  if (unknown != shape.end()) {
    *unknown = 1;
    *unknown = x.numel() / std::max<int64_t>(1, numel(shape));
  }
  const bool positive = std::all_of(shape.begin(), shape.end(), [](int64_t size) { return size >= 0; });
  require(positive && numel(shape) == x.numel(), "view: cannot view {} as {}", to_string(x.shape()),
          to_string(shape));
  return shape;
}

}  // namespace

Tensor Tensor::view(Shape wanted) const {
  const Shape shape = resolved(std::move(wanted), *this);
  const auto new_strides = view_strides(*this, shape);
  require(new_strides.has_value(), "view: cannot view {} with strides {} as {}; call contiguous() first",
          to_string(shape_), to_string(strides_), to_string(shape));
  Tensor y = as_strided(shape, *new_strides, offset_);
  record({*this}, y, [before = shape_](Gradients& g) { g.add(0, reshaped(g.dy(), before)); });
  return y;
}

Tensor Tensor::transpose(int64_t dim0, int64_t dim1) const {
  const size_t d0 = size_t(wrap(dim0)), d1 = size_t(wrap(dim1));
  Tensor y = swapped(*this, d0, d1);
  record({*this}, y, [d0, d1](Gradients& g) { g.add(0, swapped(g.dy(), d0, d1)); });
  return y;
}

Tensor Tensor::contiguous() const {
  if (is_contiguous()) return *this;
  Tensor y = empty(shape_, device(), dtype_);
  copy_elements(y, *this);
  record({*this}, y, [](Gradients& g) { g.add(0, g.dy()); });
  return y;
}

Tensor Tensor::slice(int64_t dim, int64_t start, int64_t length) const {
  dim = wrap(dim);
  require(start >= 0 && length >= 0 && start + length <= size(dim),
          "slice: {} to {} is not a range of dimension {} of {}", start, start + length, dim,
          to_string(shape_));
  Tensor y = part(*this, dim, start, length);
  record({*this}, y, [shape = shape_, dim, start](Gradients& g) {
    const Tensor dx = zeros(shape, g.dy().device(), g.dy().dtype());
    copy_elements(part(dx, dim, start, g.dy().size(dim)), g.dy());
    g.add(0, dx);
  });
  return y;
}

Tensor pad(const Tensor& x, int64_t size) {
  const int64_t last = x.dim() - 1, n = x.size(-1);
  require(size >= n, "pad: cannot pad the last dimension of {} to {}", to_string(x.shape()), size);
  Shape shape = x.shape();
  shape.back() = size;
  Tensor y = zeros(shape, x.device(), x.dtype());
  copy_elements(part(y, last, 0, n), x);
  record({x}, y, [last, n](Gradients& g) { g.add(0, part(g.dy(), last, 0, n)); });
  return y;
}

std::vector<Tensor> split(const Tensor& x, int64_t parts, int64_t dim) {
  if (dim < 0) dim += x.dim();
  const int64_t length = x.size(dim) / parts;
  require(length * parts == x.size(dim), "split: cannot split dimension {} of {} into {} equal parts", dim,
          to_string(x.shape()), parts);
  std::vector<Tensor> y;
  for (int64_t i = 0; i < parts; ++i) y.push_back(part(x, dim, i * length, length));
  record({x}, std::span(y),
         [shape = x.shape(), device = x.device(), dtype = x.dtype(), parts, dim](Gradients& g) {
           g.add(0, joined(g, shape, device, dtype, parts, dim));
         });
  return y;
}

Tensor Tensor::to(DType wanted) const {
  if (wanted == dtype_) return *this;
  Tensor y = cast(*this, wanted);
  record({*this}, y, [before = dtype_](Gradients& g) { g.add(0, cast(g.dy(), before)); });
  return y;
}

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x.detach().contiguous();
  const Tensor y = empty(x.shape(), x.device(), dtype);
  copy_elements(y, x);
  return y;
}

Tensor Bf16Copy::of(const Tensor& weight) {
  const int64_t version = block_.storage()->version();
  if (!copy_.defined() || version_ != version) {
    if (!copy_.defined()) copy_ = empty(block_.shape(), block_.device(), DType::bf16);
    copy_elements(copy_, block_);
    version_ = version;
  }
  return copy_.as_strided(weight.shape(), weight.strides(), weight.offset());
}

bf16* Bf16Copy::written_with() {
  block_.storage()->count_write();
  version_ = block_.storage()->version();
  return copy_.defined() ? copy_.data<bf16>() : nullptr;
}

Tensor cast_weight(const Tensor& weight, DType dtype) {
  if (weight.dtype() == dtype || !context().casts || !weight.requires_grad()) return cast(weight, dtype);
  const auto& kept = weight.variable()->bf16_copy;
  if (kept && kept->is_of(weight)) return kept->of(weight);
  Tensor& copy = context().casts->copies[weight.variable().get()];
  if (!copy.defined()) copy = cast(weight, dtype);
  return copy;
}

}  // namespace gpt2
