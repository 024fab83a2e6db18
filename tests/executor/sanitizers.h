// The executor's calls to the sanitizers, in programs that are built with one. The functions are weak
// symbols: without the sanitizer they are null. So one uninstrumented build of the executor works in every
// program, and the sanitizers check only the kernels.
//
// since 01_module
#pragma once

#include <cstddef>

extern "C" {
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, size_t bytes);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, size_t* bytes);
[[gnu::weak]] void* __tsan_get_current_fiber();
[[gnu::weak]] void* __tsan_create_fiber(unsigned flags);
[[gnu::weak]] void __tsan_destroy_fiber(void* fiber);
[[gnu::weak]] void __tsan_switch_to_fiber(void* fiber, unsigned flags);
[[gnu::weak]] void __tsan_acquire(void* tag);
[[gnu::weak]] void __tsan_release(void* tag);
}

namespace executor {

inline bool under_asan() {
  return __sanitizer_start_switch_fiber != nullptr && __tsan_create_fiber == nullptr;
}
inline bool under_tsan() { return __tsan_create_fiber != nullptr; }

// For ThreadSanitizer: everything before a release of a tag happens before everything after an acquire of it.
using Tag = char;
inline void release(Tag& tag) {
  if (under_tsan()) __tsan_release(&tag);
}
inline void acquire(Tag& tag) {
  if (under_tsan()) __tsan_acquire(&tag);
}

}  // namespace executor
