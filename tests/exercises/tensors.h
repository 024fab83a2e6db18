// For exercises against the library: tensors as inputs and results, and what was done to compute them.
#pragma once

#include "common/ops/autograd.h"
#include "common/ops/ops.h"
#include "common/tensor/context.h"
#include "common/tensor/memory.h"
#include "tests/common/oracle.h"
#include "tests/exercises/exercise.h"

namespace exercise {

using namespace gpt2;
using gpt2::testing::Ids;
using gpt2::testing::Values;

// Tensors of floats or ids travel with their shape and values.
inline void put(Bytes& to, const Tensor& x) {
  put(to, x.defined());
  if (!x.defined()) return;
  put(to, x.shape());
  put(to, x.dtype() == DType::i32);
  x.dtype() == DType::i32 ? put(to, x.to_vector<int32_t>())
                          : put(to, x.detach().to(DType::f32).to_vector<float>());
}

template <class T>
Tensor get_tensor(Reader& from, const Shape& shape) {
  std::vector<T> values;
  get(from, values);
  return from_vector(values, shape);
}

inline void get(Reader& from, Tensor& x) {
  bool defined = false, ids = false;
  get(from, defined);
  if (!defined) return;
  Shape shape;
  get(from, shape);
  get(from, ids);
  x = ids ? get_tensor<int32_t>(from, shape) : get_tensor<float>(from, shape);
}

inline std::vector<double> doubles(const Tensor& x) {
  if (!x.defined()) return {};
  if (x.dtype() == DType::i32) return doubles(x.to_vector<int32_t>());
  return doubles(x.detach().to(DType::f32).to_vector<float>());
}

// The calls of the library's kernels whose name contains `name`, in `work`: calls_of("matmul", [&] { ... }).
template <class Work>
int64_t calls_of(const std::string& name, const Work& work) {
  context().counts.reset();
  work();
  int64_t calls = 0;
  for (const auto& [kernel, count] : context().counts.by_kernel()) {
    if (kernel.find(name) != std::string::npos) calls += count.calls;
  }
  return calls;
}

// The most bytes of tensors that existed at once in `work`, beyond those that existed before.
template <class Work>
int64_t peak_bytes(const Work& work) {
  Heap& memory = heap(kCpu);
  memory.reset_peak();
  const size_t before = memory.bytes_in_use();
  work();
  return int64_t(memory.peak_bytes() - before);
}

// The gradients of f(leaves...) in the given leaves, for `dy`, the gradient of its result: gradients(f, {x, w}).
// The result of f must have one element.
template <class F>
std::vector<Tensor> gradients(const F& f, std::vector<Tensor> leaves) {
  for (Tensor& leaf : leaves) leaf.set_requires_grad();
  f(leaves).backward();
  std::vector<Tensor> result;
  for (const Tensor& leaf : leaves) result.push_back(leaf.grad());
  return result;
}

}  // namespace exercise

using namespace exercise;
