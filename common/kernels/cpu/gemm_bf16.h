// Products of bf16 matrices by oneDNN: AMX where the processor has it, AVX-512 otherwise.
//
// A product is an object, made once per shape and kept: making one compiles machine code. It reads its operands in
// plain row- or column-major order; packing them beforehand was measured and is not faster (gemm_study.md).
//
// since 05_tf32
#pragma once

#include "common/kernels/matmul.h"

namespace gpt2::cpu {

// C = alpha A B + beta C + bias for one matrix, with shapes, strides, alpha and beta fixed.
class GemmBf16 {
 public:
  virtual ~GemmBf16() = default;

  // Pointers to the first elements; bias may be null only if the product was made without one. Uses OpenMP
  // unless called in a parallel region.
  virtual void run(const void* a, const void* b, void* c, const void* bias) const = 0;
};

// The object for one matrix of this product; null if there is no oneDNN, or the processor has no instructions for
// bf16 (below AVX-512) and the product is better done in floats.
const GemmBf16* gemm_bf16(const Matmul& product);

// Whether there is such an object for an ordinary product.
bool has_gemm_bf16();

}  // namespace gpt2::cpu
