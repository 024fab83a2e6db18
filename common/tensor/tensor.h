// A tensor: a cheap handle on shared storage.
//
// Copying a Tensor copies the handle. Views (view, transpose, slice, split) share the storage of the original
// tensor; strides count elements. Operations never change their inputs: they return new tensors. The few
// exceptions end in an underscore, as in torch.
//
// A tensor that takes part in training also holds a Variable, which is what autograd knows about it
// (common/ops/autograd.h). The code in this folder does not use its contents; the members that record
// themselves on the tape are defined in common/ops.
//
// since 01_module
#pragma once

#include <array>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/tensor/context.h"
#include "common/tensor/device.h"
#include "common/tensor/dtype.h"
#include "common/tensor/memory.h"

namespace gpt2 {

using Shape = std::vector<int64_t>;

std::string to_string(const Shape& shape);  // "(4, 32, 768)"
int64_t numel(const Shape& shape);
Shape contiguous_strides(const Shape& shape);

struct Variable;

class Tensor {
 public:
  Tensor() = default;  // undefined: no storage, no shape
  Tensor(std::shared_ptr<Storage> storage, int64_t offset, Shape shape, Shape strides, DType dtype);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }
  DType dtype() const { return dtype_; }
  Device device() const { return storage_->device(); }
  int64_t dim() const { return int64_t(shape_.size()); }
  int64_t numel() const { return gpt2::numel(shape_); }
  int64_t size(int64_t dim) const { return shape_[size_t(wrap(dim))]; }  // a negative dim counts from the end
  int64_t stride(int64_t dim) const { return strides_[size_t(wrap(dim))]; }

  // All N sizes at once: const auto [B, T, C] = x.sizes<3>();
  template <size_t N>
  std::array<int64_t, N> sizes() const {
    require(shape_.size() == N, "expected {} dimensions, got {}", N, to_string(shape_));
    std::array<int64_t, N> sizes;
    for (size_t i = 0; i < N; ++i) sizes[i] = shape_[i];
    return sizes;
  }

  // Returns a pointer to the first element, in the memory of device(). Throws if T is not the element type, or
  // if an op has taken the memory.
  template <class T>
  T* data() const {
    require(dtype_of<T> == dtype_, "expected {} elements, got {}", to_string(dtype_of<T>), to_string(dtype_));
    context().counts.touch(numel() * int64_t(sizeof(T)));  // assumes that the caller uses all elements
    return static_cast<T*>(storage_->data()) + offset_;
  }
  int64_t offset() const { return offset_; }
  const std::shared_ptr<Storage>& storage() const { return storage_; }

  bool is_contiguous() const;
  bool owns_storage() const { return storage_.use_count() == 1; }  // no other handle shares it

  // A view of the same storage with another shape; not recorded, without a Variable.
  Tensor as_strided(Shape shape, Shape strides, int64_t offset) const;
  Tensor detach() const { return as_strided(shape_, strides_, offset_); }

  // Recorded on the tape, defined in ops/views.cpp. One size of view may be -1; it is then inferred.
  Tensor view(Shape shape) const;  // another shape without a copy; throws if the strides do not allow it
  Tensor transpose(int64_t dim0, int64_t dim1) const;  // two dimensions swapped
  Tensor contiguous() const;                           // itself, or a copy in row-major order
  Tensor slice(int64_t dim, int64_t start, int64_t length) const;
  Tensor to(DType dtype) const;    // itself, or a contiguous copy, rounded if dtype is narrower
  Tensor to(Device device) const;  // itself, or a contiguous copy; not recorded

  // Copies to the host; these wait for the device.
  float item() const;  // the value of a tensor with one element
  template <class T>
  std::vector<T> to_vector() const;

  // Autograd, defined in ops/autograd.cpp.
  bool requires_grad() const { return variable_ != nullptr; }
  Tensor& set_requires_grad();  // makes this a leaf: backward() keeps its gradient
  Tensor grad() const;          // undefined before backward() has reached this leaf
  void backward() const;        // computes d(this)/d(leaf) for every leaf; this must have one element

  const std::shared_ptr<Variable>& variable() const { return variable_; }
  void set_variable(std::shared_ptr<Variable> variable) { variable_ = std::move(variable); }

 private:
  int64_t wrap(int64_t dim) const;

  std::shared_ptr<Storage> storage_;
  int64_t offset_ = 0;
  Shape shape_, strides_;
  DType dtype_ = DType::f32;
  std::shared_ptr<Variable> variable_;
};

// A new tensor with undefined contents, in row-major order.
Tensor empty(Shape shape, Device device = kCpu, DType dtype = DType::f32);

// A new float32 tensor of zeros.
Tensor zeros(Shape shape, Device device = kCpu);

// A new tensor with the values of a host vector.
template <class T>
Tensor from_vector(const std::vector<T>& values, Shape shape, Device device = kCpu);

// Sets all elements of a contiguous x to 0.
void zero_(const Tensor& x);

// Copies contiguous `from` into contiguous `to`, which has the same number of elements and the same type.
void copy_(const Tensor& to, const Tensor& from);

}  // namespace gpt2
