// The element types of tensors.
//
// since 01_module
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/tensor/bf16.h"

namespace gpt2 {

enum class DType : uint8_t { f32, bf16, i32 };

inline size_t size_of(DType dtype) { return dtype == DType::bf16 ? 2 : 4; }
inline const char* to_string(DType dtype) {
  return dtype == DType::f32 ? "float32" : dtype == DType::bf16 ? "bfloat16" : "int32";
}

// dtype_of<float> is DType::f32, and so on.
template <class T>
inline constexpr DType dtype_of = DType::f32;
template <>
inline constexpr DType dtype_of<int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<bf16> = DType::bf16;
template <class T>
inline constexpr DType dtype_of<const T> = dtype_of<T>;

// How float32 operands are multiplied: torch.set_float32_matmul_precision. Sums are always float32.
//   highest  full float32
//   high     a GPU uses 10 bits of the mantissa (TF32); a CPU has no TF32, so there high = highest
//   medium   operands are rounded to bf16 first
// since 05_tf32
enum class MatmulPrecision : uint8_t { highest, high, medium };

}  // namespace gpt2
