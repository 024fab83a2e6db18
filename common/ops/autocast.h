// Autocast: matrix products in bf16, the rest in float32, as torch.autocast does it on CUDA.
//
//   const Autocast autocast(DType::bf16);
//   const auto [logits, loss] = model(x, y);
//   loss.backward();
//
// linear and matmul round float operands to bf16 and give bf16; LayerNorm, softmax, the loss and the sum of
// the residual stream widen what comes in and compute in float32; ops in between (GELU, masks, views) keep
// the type they are given. Parameters stay float32, and so do their gradients. A parameter is rounded once,
// at its first use, and that copy serves until the guard goes: one guard a training step.
//
// since 06_bf16
#pragma once

#include <map>

#include "common/tensor/context.h"
#include "common/tensor/tensor.h"

namespace gpt2 {

// The rounded copies of parameters.
struct CastCache {
  std::map<const Variable*, Tensor> copies;
};

struct Autocast : Setting<std::shared_ptr<CastCache>, &Context::casts> {
  // DType::f32: matrix products stay as they are.
  explicit Autocast(DType dtype) : Setting(dtype == DType::bf16 ? std::make_shared<CastCache>() : nullptr) {}
};

// The contiguous values of x in this type, without a Variable: itself, or a copy.
Tensor cast(const Tensor& x, DType dtype);

// The type in which matrix products of x multiply now.
inline DType matmul_dtype(const Tensor& x) { return context().casts ? DType::bf16 : x.dtype(); }

// cast(weight, dtype); the copy of a parameter is kept for the next one who asks.
Tensor cast_weight(const Tensor& weight, DType dtype);

}  // namespace gpt2
