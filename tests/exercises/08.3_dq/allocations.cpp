// Replaces operator new by one that counts. Each block begins with its size.
#include "allocations.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

constexpr size_t kHeader = 16;  // keeps the alignment of malloc
int64_t in_use = 0, peak = 0;

}  // namespace

void* operator new(size_t bytes) {
  void* block = std::malloc(bytes + kHeader);
  if (block == nullptr) throw std::bad_alloc();
  *static_cast<size_t*>(block) = bytes;
  in_use += int64_t(bytes);
  peak = std::max(peak, in_use);
  return static_cast<char*>(block) + kHeader;
}

void operator delete(void* pointer) noexcept {
  if (pointer == nullptr) return;
  void* block = static_cast<char*>(pointer) - kHeader;
  in_use -= int64_t(*static_cast<size_t*>(block));
  std::free(block);
}

void operator delete(void* pointer, size_t) noexcept { operator delete(pointer); }

int64_t peak_of_new(const std::function<void()>& work) {
  const int64_t before = in_use;
  peak = in_use;
  work();
  return peak - before;
}
