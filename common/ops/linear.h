// The building blocks of linear layers and of the ops that fuse them with other ops.
//
// since 01_module; bf16 since 06_bf16
#pragma once

#include "common/kernels/matmul.h"
#include "common/ops/autograd.h"
#include "common/tensor/tensor.h"

namespace gpt2 {

// Pointers to the first element of a tensor, for kernels that take the element type as a value.
inline const void* read(const Tensor& x) {
  return x.dtype() == DType::bf16 ? static_cast<const void*>(x.data<bf16>()) : x.data<float>();
}
inline void* write(const Tensor& x) { return const_cast<void*>(read(x)); }

// A view of contiguous x (..., cols) as one matrix with cols columns.
ConstMatrixView as_matrix(const Tensor& x);
MatrixView as_result(const Tensor& x);

// x (..., in) weight (out, in)^T + bias (out), if defined -> (..., out). All are contiguous and of the same
// type.
Tensor times_transposed(const Tensor& x, const Tensor& weight, const Tensor& bias);

// Returns dx = dy weight with this shape and type, times `factor`, if defined (see GradientNotes).
Tensor input_gradient(const Tensor& dy, const Tensor& weight, const Shape& shape, DType dtype,
                      const Tensor& factor = {});

// dW += dy^T x, times `factor` if defined, in place, in float32. dW is the gradient of input i.
void add_weight_gradient(Gradients& g, size_t i, const Tensor& dy, const Tensor& x,
                         const Tensor& factor = {});

// Adds the gradients of weight (input i) and bias (input i + 1, if any) of a linear layer with input x, in place.
// partial_sums: of dy, if known (see GradientNotes).
void add_parameter_gradients(Gradients& g, size_t i, const Tensor& dy, const Tensor& x,
                             const Tensor& partial_sums = {});

}  // namespace gpt2
