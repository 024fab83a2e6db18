// The element types of tensors.
//
// since 01_module
#pragma once

#include <cstddef>
#include <cstdint>

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

}  // namespace gpt2
