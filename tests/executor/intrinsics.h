// CUDA's device functions: barriers, warp shuffles and votes, atomics, cached loads.
//
// Two kinds are missing deliberately, so that a kernel that uses them does not compile: approximate functions
// (__expf and similar), and floating-point atomics, whose sum depends on the order of execution.
//
// since 01_module
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tests/executor/scheduler.h"

#define EXECUTOR_HERE executor::Place where = executor::Place::here()

// ---- barriers

inline void __syncthreads(EXECUTOR_HERE) { executor::block_barrier(false, where); }
inline int __syncthreads_count(int predicate, EXECUTOR_HERE) {
  return executor::block_barrier(predicate != 0, where);
}
inline int __syncthreads_or(int predicate, EXECUTOR_HERE) {
  return executor::block_barrier(predicate != 0, where) != 0;
}
inline int __syncthreads_and(int predicate, EXECUTOR_HERE) {
  return executor::block_barrier(predicate == 0, where) == 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, EXECUTOR_HERE) {
  executor::warp_operation(executor::WarpOperation::sync, mask, 0, 0, where);
}
inline void __threadfence() {}  // one OS thread: memory is always in order
inline void __threadfence_block() {}

// ---- shuffles: lane l of a group of `width` lanes reads the value of lane ...

namespace executor {

template <class T>
T shuffle(unsigned mask, T value, int source, Place where) {
  static_assert(std::is_arithmetic_v<T>, "CUDA shuffles 4 or 8 bytes of a built-in type");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = warp_operation(WarpOperation::shuffle, mask, bits, source, where);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline int group_start(int width) { return lane() & ~(width - 1); }

}  // namespace executor

// ... `source`, counted from the group's first lane
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, EXECUTOR_HERE) {
  return executor::shuffle(mask, value, executor::group_start(width) + (source & (width - 1)), where);
}

// ... l ^ lanes, unless that lies in a later group
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, EXECUTOR_HERE) {
  const int self = executor::lane(), source = self ^ lanes;
  const bool later = source >= executor::group_start(width) + width;
  return executor::shuffle(mask, value, later ? self : source, where);
}

// ... l + lanes, unless that lies outside the group
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned lanes, int width = 32, EXECUTOR_HERE) {
  const int self = executor::lane(), source = self + int(lanes);
  const bool outside = source >= executor::group_start(width) + width;
  return executor::shuffle(mask, value, outside ? self : source, where);
}

// ... l - lanes, unless that lies outside the group
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned lanes, int width = 32, EXECUTOR_HERE) {
  const int self = executor::lane(), source = self - int(lanes);
  const bool outside = source < executor::group_start(width);
  return executor::shuffle(mask, value, outside ? self : source, where);
}

// ---- votes

inline unsigned __ballot_sync(unsigned mask, int predicate, EXECUTOR_HERE) {
  return unsigned(executor::warp_operation(executor::WarpOperation::ballot, mask, predicate != 0, 0, where));
}
inline int __any_sync(unsigned mask, int predicate, EXECUTOR_HERE) {
  return __ballot_sync(mask, predicate, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate, EXECUTOR_HERE) {
  return __ballot_sync(mask, predicate, where) == mask;
}

#undef EXECUTOR_HERE

// ---- atomics; implemented as real atomics, so that ThreadSanitizer recognises them

template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T>, "a floating-point sum must not depend on the order of arrival");
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}

template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T>);
  T old = __atomic_load_n(address, __ATOMIC_RELAXED);
  while (old < value &&
         !__atomic_compare_exchange_n(address, &old, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return old;
}

// ---- loads and stores with a cache hint

template <class T>
T __ldg(const T* from) {
  return *from;
}
template <class T>
T __ldcs(const T* from) {
  return *from;
}
template <class T>
T __ldcg(const T* from) {
  return *from;
}
template <class T>
void __stcs(T* to, std::type_identity_t<T> value) {
  *to = value;
}
template <class T>
void __stcg(T* to, std::type_identity_t<T> value) {
  *to = value;
}

// ---- bits and arithmetic

inline int __popc(unsigned value) { return std::popcount(value); }
inline int __ffs(int value) { return __builtin_ffs(value); }
inline float __int_as_float(int bits) { return std::bit_cast<float>(bits); }
inline int __float_as_int(float value) { return std::bit_cast<int>(value); }
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline float rsqrtf(float value) { return 1.0f / std::sqrt(value); }
using std::max;
using std::min;
