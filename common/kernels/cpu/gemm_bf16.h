// Products of bf16 matrices by oneDNN: AMX where the processor has it, AVX-512 otherwise.
//
// A product is an object, made once per shape and kept: making one compiles machine code. It reads its
// operands in plain row- or column-major order; packing them beforehand was measured and is not faster
// (gemm_study.md).
//
// since 05_tf32
#pragma once

#include "common/kernels/matmul.h"

namespace gpt2::cpu {

// C = alpha A B + beta C + bias for one matrix, with shapes, strides, alpha and beta fixed.
class GemmBf16 {
 public:
  virtual ~GemmBf16() = default;

  // Memory that a run needs for itself. oneDNN would bring its own, but that belongs to the thread that made
  // the object, and the products of a batch run on all threads.
  virtual size_t scratchpad_bytes() const = 0;

  // Pointers to the first elements; bias may be null only if the product was made without one.
  virtual void run(const void* a, const void* b, void* c, const void* bias, void* scratchpad) const = 0;
};

// The object for one matrix of this product, which uses OpenMP if the product has only that; null if there is
// no oneDNN, or it has nothing for bf16 on this processor (below AVX-512) and the product is better done in
// floats. Not to be called in a parallel region.
const GemmBf16* gemm_bf16(const Matmul& product);

// Whether there is such an object for an ordinary product.
bool has_gemm_bf16();

}  // namespace gpt2::cpu
