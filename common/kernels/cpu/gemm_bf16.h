// Products of bf16 matrices by oneDNN, with AMX if the CPU has it, otherwise with AVX-512.
//
// A product is an object. It is made once per shape and kept, because making one compiles machine code. It
// reads its operands in plain row- or column-major order; measurements show that packing them first is not
// faster (docs/timing/gemm_study.md).
//
// since 05_tf32
#pragma once

#include "common/kernels/matmul.h"

namespace gpt2::cpu {

// C = alpha A B + beta C + bias for one matrix, with shapes, strides, alpha and beta fixed.
class GemmBf16 {
 public:
  virtual ~GemmBf16() = default;

  // The memory that a run needs. oneDNN's own scratchpad belongs to the thread that made the object, but the
  // products of a batch run on all threads.
  virtual size_t scratchpad_bytes() const = 0;

  // Pointers to the first elements; bias may be null only if the product was made without one.
  virtual void run(const void* a, const void* b, void* c, const void* bias, void* scratchpad) const = 0;
};

// Returns the object for one matrix of this product; it uses OpenMP if the product has only one matrix.
// Returns null if this build has no oneDNN, if oneDNN has no fast bf16 product on this CPU (without AVX-512),
// or if it cannot do this product; then multiply in float. Do not call this in a parallel region.
const GemmBf16* gemm_bf16(const Matmul& product);

// Whether gemm_bf16 has an object for an ordinary product on this machine.
bool has_gemm_bf16();

}  // namespace gpt2::cpu
