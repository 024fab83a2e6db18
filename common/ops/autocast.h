// Autocast: matrix products in bf16, everything else in float32, like torch.autocast on CUDA.
//
//   const Autocast autocast(DType::bf16);
//   const auto [logits, loss] = model(x, y);
//   loss.backward();
//
// linear and matmul round float operands to bf16 and return bf16. LayerNorm, softmax, the loss and the sum of
// the residual stream convert their inputs to float32 and compute in float32. Other ops (GELU, masks, views)
// keep the type of their input. Parameters and their gradients stay float32. A parameter is rounded once, at
// its first use; the guard keeps that copy until it is destroyed. So use one guard per training step. If the
// optimizer keeps the copies up to date (since 10_adamw), nothing is rounded at all.
//
// since 06_bf16
#pragma once

#include <map>
#include <memory>
#include <utility>

#include "common/tensor/context.h"
#include "common/tensor/tensor.h"

namespace gpt2 {

// The bf16 copies of the parameters.
struct CastCache {
  std::map<const Variable*, Tensor> copies;
};

// The bf16 copy of a block of parameters, in one block with the same layout. AdamW writes it beside the float
// values. It is made at its first use, and made again if somebody else has written to the parameters.
// since 10_adamw
class Bf16Copy {
 public:
  explicit Bf16Copy(Tensor block) : block_(std::move(block)) {}

  bool is_of(const Tensor& weight) const { return weight.storage() == block_.storage(); }
  Tensor of(const Tensor& weight);  // weight: a view of the block

  // Tells that the optimizer writes to the block now. Returns where it must write the rounded values, or null if
  // nobody has used the copy yet.
  bf16* written_with();

 private:
  Tensor block_, copy_;
  int64_t version_ = 0;  // of the block's storage when the copy was last equal to it
};

struct Autocast : Setting<std::shared_ptr<CastCache>, &Context::casts> {
  // DType::f32 turns autocast off.
  explicit Autocast(DType dtype) : Setting(dtype == DType::bf16 ? std::make_shared<CastCache>() : nullptr) {}
};

// Returns x as a contiguous tensor of this type, without a Variable: x itself if possible, otherwise a copy.
Tensor cast(const Tensor& x, DType dtype);

// The type to which matrix products convert x now.
inline DType matmul_dtype(const Tensor& x) { return context().casts ? DType::bf16 : x.dtype(); }

// cast(weight, dtype); the copy of a parameter is kept and returned again by later calls.
Tensor cast_weight(const Tensor& weight, DType dtype);

}  // namespace gpt2
