// What a training step asks of the memory: how many kernels were called, and how many bytes they touched.
//
// Every op names each tensor that its kernel reads or writes once, by Tensor::data(). So that is where bytes
// are counted, and DISPATCH, which calls the kernel, books them under its name. Caches are not thought of:
// these are the bytes of a machine that has none, which is what a kernel on tensors larger than its caches
// comes close to.
//
// since 06_bf16
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

  void touch(int64_t bytes) { touched_ += bytes; }  // on behalf of the kernel that is called next
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
