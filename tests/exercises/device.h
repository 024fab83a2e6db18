// For exercises with kernels, which run on the executor (tests/executor): device memory, and counts of what the
// kernels did.
//
//   const auto [sums, counts] = STUDENT(traced([&] {
//     const OnDevice<float> in(x), out(rows);
//     row_sum(kStream, out, in, rows, cols);
//     return out.values();
//   }));
//   CHECK(counts.all_loads() <= rows * cols, "...");
//
// Every case also fails on a race, an access out of bounds, a divergent barrier, and on values that differ with the order
// in which threads run.
#pragma once

#include <cuda_runtime.h>

#include "common/base/error.h"
#include "common/tensor/device.h"
#include "tests/common/oracle.h"
#include "tests/executor/tracer.h"
#include "tests/exercises/exercise.h"

namespace exercise {

using executor::Counts;
using gpt2::Stream;
using gpt2::testing::Ids;
using gpt2::testing::Values;

inline const Stream kStream{{gpt2::DeviceType::cuda, 0}, nullptr};

// Values in device memory, in an allocation of their own.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values, int64_t offset = 0)
      : OnDevice(int64_t(values.size()), offset) {
    copy(data_ + offset_, values.data(), cudaMemcpyHostToDevice);
  }
  // n values that are NaN (-1 for integers) until a kernel writes them. An offset makes the first one misaligned.
  explicit OnDevice(int64_t n, int64_t offset = 0) : n_(n), offset_(offset) {
    gpt2::require(cudaMalloc(&data_, size_t(std::max(n + offset, int64_t{1})) * sizeof(T)) == cudaSuccess,
                  "no memory for {} values", n);
  }
  ~OnDevice() { cudaFree(data_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  operator T*() const { return data_ + offset_; }
  std::vector<T> values() const {
    std::vector<T> result(static_cast<size_t>(n_));
    copy(result.data(), data_ + offset_, cudaMemcpyDeviceToHost);
    return result;
  }

 private:
  void copy(void* to, const void* from, cudaMemcpyKind kind) const {
    gpt2::require(cudaMemcpy(to, from, size_t(n_) * sizeof(T), kind) == cudaSuccess, "cudaMemcpy failed");
  }

  int64_t n_, offset_;
  T* data_ = nullptr;
};

// What `work` returns, and the counts of the kernels that it launched.
template <class Work>
auto traced(const Work& work) {
  executor::take_counts();
  auto result = work();
  return std::pair(std::move(result), executor::take_counts());
}

}  // namespace exercise

using namespace exercise;
