#include "common/tensor/tensor.h"

#include <fmt/ranges.h>

#include "common/base/number.h"
#include "common/tensor/context.h"

namespace gpt2 {

std::string to_string(const Shape& shape) { return fmt::format("({})", fmt::join(shape, ", ")); }

int64_t numel(const Shape& shape) {
  int64_t n = 1;
  for (const int64_t size : shape) n *= size;
  return n;
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0; stride *= shape[i]) strides[i] = stride;
  return strides;
}

Tensor::Tensor(std::shared_ptr<Storage> storage, int64_t offset, Shape shape, Shape strides, DType dtype)
    : storage_(std::move(storage)),
      offset_(offset),
      shape_(std::move(shape)),
      strides_(std::move(strides)),
      dtype_(dtype) {}

int64_t Tensor::wrap(int64_t dim) const {
  const int64_t rank = this->dim();
  require(dim >= -rank && dim < rank, "dimension {} does not exist in a tensor of shape {}", dim,
          to_string(shape_));
  return dim < 0 ? dim + rank : dim;
}

bool Tensor::is_contiguous() const {
  int64_t expected = 1;
  for (size_t i = shape_.size(); i-- > 0; expected *= shape_[i]) {
    if (shape_[i] != 1 && strides_[i] != expected) return false;
  }
  return true;
}

Tensor Tensor::as_strided(Shape shape, Shape strides, int64_t offset) const {
  return Tensor(storage_, offset, std::move(shape), std::move(strides), dtype_);
}

Tensor Tensor::to(Device target) const {
  if (target == device()) return *this;
  const Tensor from = detach().contiguous();
  const Tensor copy = empty(shape_, target, dtype_);
  copy_(copy, from);
  return copy;
}

float Tensor::item() const {
  require(numel() == 1, "item: expected one element, got shape {}", to_string(shape_));
  return to_vector<float>()[0];
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  const Tensor from = detach().contiguous();
  std::vector<T> values(static_cast<size_t>(numel()));
  backend(device()).copy(values.data(), from.data<T>(), values.size() * sizeof(T),
                         context().stream(device()));
  synchronize(device());
  return values;
}

Tensor empty(Shape shape, Device device, DType dtype) {
  for (const int64_t size : shape) require(size >= 0, "empty: negative size in {}", to_string(shape));
  constexpr int64_t kMost = int64_t{1} << 60;  // times the size of an element, this does not overflow
  require(product(shape).value_or(kMost + 1) <= kMost,
          "a tensor of shape {} has more elements than memory has addresses; try a smaller --batch or --seq",
          to_string(shape));
  auto storage = std::make_shared<Storage>(device, size_t(numel(shape)) * size_of(dtype));
  Shape strides = contiguous_strides(shape);
  return Tensor(std::move(storage), 0, std::move(shape), std::move(strides), dtype);
}

Tensor zeros(Shape shape, Device device) {
  Tensor x = empty(std::move(shape), device);
  zero_(x);
  return x;
}

template <class T>
Tensor from_vector(const std::vector<T>& values, Shape shape, Device device) {
  require(numel(shape) == int64_t(values.size()), "from_vector: {} values for shape {}", values.size(),
          to_string(shape));
  const Tensor tensor = empty(std::move(shape), device, dtype_of<T>);
  backend(device).copy(tensor.data<T>(), values.data(), values.size() * sizeof(T), context().stream(device));
  return tensor;
}

namespace {

char* bytes(const Tensor& t) {
  return static_cast<char*>(t.storage()->data()) + size_t(t.offset()) * size_of(t.dtype());
}

}  // namespace

void zero_(const Tensor& x) {
  require(x.is_contiguous(), "zero_: {} is not contiguous", to_string(x.shape()));
  x.storage()->count_write();
  backend(x.device())
      .fill_zero(bytes(x), size_t(x.numel()) * size_of(x.dtype()), context().stream(x.device()));
}

void copy_(const Tensor& to, const Tensor& from) {
  require(
      to.is_contiguous() && from.is_contiguous() && to.numel() == from.numel() && to.dtype() == from.dtype(),
      "copy_: cannot copy {} {} into {} {}", to_string(from.dtype()), to_string(from.shape()),
      to_string(to.dtype()), to_string(to.shape()));
  const Device device = to.device().is_cuda() ? to.device() : from.device();  // its stream orders the copy
  to.storage()->count_write();
  backend(device).copy(bytes(to), bytes(from), size_t(to.numel()) * size_of(to.dtype()),
                       context().stream(device));
  if (device.is_cuda() && !to.device().is_cuda()) synchronize(device);  // the host may read it immediately
}

template std::vector<float> Tensor::to_vector<float>() const;
template std::vector<int32_t> Tensor::to_vector<int32_t>() const;
template Tensor from_vector(const std::vector<float>&, Shape, Device);
template Tensor from_vector(const std::vector<int32_t>&, Shape, Device);

}  // namespace gpt2
