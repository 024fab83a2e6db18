// The memory traffic of a training step: how many kernels were called, and how many bytes they read and
// wrote.
//
// An op calls Tensor::data() once for each tensor that its kernel reads or writes. Tensor::data() counts the
// bytes, and DISPATCH, which calls the kernel, adds them to the count of that kernel. Caches are ignored. For
// tensors larger than the caches, the real traffic comes close to these numbers.
//
// since 04_overfit
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace gpt2 {

class KernelCounts {
 public:
  struct Count {
    int64_t calls = 0, bytes = 0;
  };

  void touch(int64_t bytes) { touched_ += bytes; }  // for the kernel that is called next
  void call(const char* kernel) {
    Count& count = by_kernel_[kernel];
    ++count.calls;
    count.bytes += touched_;
    touched_ = 0;
  }
  void reset() { by_kernel_.clear(), touched_ = 0; }

  const std::map<std::string, Count>& by_kernel() const { return by_kernel_; }

 private:
  std::map<std::string, Count> by_kernel_;
  int64_t touched_ = 0;
};

}  // namespace gpt2
