// Helpers for tests of kernels and ops: devices, arrays on a device, error measures that fail on NaN.
//
// The same test sources are built into two executables. In one, the "cuda" device is the executor
// (tests/executor), which runs the CUDA kernels on the CPU. In the other it is a real GPU, and without a GPU
// the test is skipped.
#pragma once

#include <gtest/gtest.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "common/ops/dispatch.h"
#include "common/tensor/bf16.h"
#include "common/tensor/context.h"
#include "common/tensor/device.h"
#include "common/tensor/memory.h"

namespace gpt2::testing {

inline constexpr Device kCuda{DeviceType::cuda, 0};

// The parametrised fixture: every test runs on the CPU and on the GPU.
class OnEveryDevice : public ::testing::TestWithParam<Device> {
 protected:
  void SetUp() override {
    if (GetParam().is_cuda() && cuda_device_count() == 0) GTEST_SKIP() << "no GPU on this machine";
  }
  Device device() const { return GetParam(); }
};

#ifdef GPT2_CUDA
inline const auto kDevices = ::testing::Values(kCpu, kCuda);
#else
inline const auto kDevices = ::testing::Values(kCpu);
#endif

inline std::string device_name(const ::testing::TestParamInfo<Device>& test) {
  return test.param.is_cuda() ? "cuda" : "cpu";
}

// Names the instances of Suite's tests .../cpu and .../cuda, which ctest turns into labels.
#define INSTANTIATE_ON_EVERY_DEVICE(Suite) \
  INSTANTIATE_TEST_SUITE_P(On, Suite, ::gpt2::testing::kDevices, ::gpt2::testing::device_name)

// Values on a device, for tests that call kernels directly, with NaN before and after them. If a kernel reads
// out of bounds, its result is NaN; if it writes out of bounds, the destructor reports it.
template <class T>
class DeviceArray {
 public:
  DeviceArray(Device device, const std::vector<T>& values)
      : storage_(device, (values.size() + 2 * kGuard) * sizeof(T)), size_(values.size()) {
    std::vector<T> guarded(size_ + 2 * kGuard, poison());
    std::copy(values.begin(), values.end(), guarded.begin() + kGuard);
    backend(device).copy(storage_.data(), guarded.data(), storage_.bytes(), context().stream(device));
  }
  // NaN everywhere, so that a value that a kernel does not write is found.
  DeviceArray(Device device, int64_t n) : DeviceArray(device, std::vector<T>(size_t(n), poison())) {}

  ~DeviceArray() {
    const std::vector<T> guarded = read(), guard(kGuard, poison());
    EXPECT_EQ(std::memcmp(guarded.data(), guard.data(), kGuard * sizeof(T)), 0) << "written before the array";
    EXPECT_EQ(std::memcmp(&guarded[size_ + kGuard], guard.data(), kGuard * sizeof(T)), 0)
        << "written behind the array";
  }

  T* data() { return static_cast<T*>(storage_.data()) + kGuard; }
  std::vector<T> to_host() const {
    const std::vector<T> guarded = read();
    return {guarded.begin() + kGuard, guarded.end() - kGuard};
  }

 private:
  static constexpr size_t kGuard = kAlignment / sizeof(T);  // keeps the heap's alignment

  static T poison() {
    if constexpr (std::is_same_v<T, bf16>) return std::bit_cast<bf16>(uint16_t{0xffff});
    if constexpr (std::is_floating_point_v<T>) return std::numeric_limits<T>::quiet_NaN();
    return T(-1);
  }
  std::vector<T> read() const {
    const Device device = storage_.device();
    std::vector<T> guarded(size_ + 2 * kGuard);
    backend(device).copy(guarded.data(), storage_.data(), storage_.bytes(), context().stream(device));
    backend(device).synchronize(context().stream(device));
    return guarded;
  }

  Storage storage_;
  size_t size_;
};

// Deterministic values, uniform in [low, high).
inline std::vector<float> uniform(int64_t n, double low, double high, unsigned seed = 1) {
  std::mt19937 generator(seed);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = float(low + (high - low) * (generator() / 4294967296.0));
  return values;
}

// Converts the values: rounds to bf16, or widens to float.
template <class To, class From>
std::vector<To> as(const std::vector<From>& values) {
  return {values.begin(), values.end()};
}

// Rounds the values to T, so that a kernel and its oracle get the same input.
template <class T>
std::vector<float> representable(const std::vector<float>& values) {
  return as<float>(as<T>(values));
}

// The error of rounding a result once to T, relative to the largest value: half of the last of bf16's 8 bits.
// For float it is 0, because every tolerance includes a float's rounding.
template <class T>
inline constexpr double kRounding = std::is_same_v<T, bf16> ? 1.0 / 256 : 0;

// Calls body(T()) for each type of activations.
template <class Body>
void for_float_and_bf16(const Body& body) {
  {
    SCOPED_TRACE("float");
    body(float(0));
  }
  SCOPED_TRACE("bf16");
  body(bf16(0));
}

// max |a - b| / max |b|; NaN if any value is NaN, infinity if the sizes differ or there are no values; then
// EXPECT_LE fails. Infinite values must be equal.
template <class A, class B>
double max_relative_error(const A& actual, const B& expected) {
  if (actual.size() != expected.size() || expected.empty()) return INFINITY;
  double error = 0, largest = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double a = double(actual[i]), b = double(expected[i]);
    if (std::isnan(a) || std::isnan(b)) return NAN;
    if (a == b) {
      if (std::isfinite(b)) largest = std::max(largest, std::abs(b));
      continue;
    }
    error = std::max(error, std::abs(a - b));
    largest = std::max(largest, std::abs(b));
  }
  return error == 0 ? 0 : error / largest;
}

// Returns whether `run`, which returns floats, always gives the same bits: twice in a row and, on the CPU, on
// one thread and on three.
template <class Run>
::testing::AssertionResult gives_the_same_bits([[maybe_unused]] Device device, const Run& run) {
  const auto bits = [&] {
    std::vector<uint32_t> result;
    for (const float value : run()) result.push_back(std::bit_cast<uint32_t>(value));
    return result;
  };
  const auto first = bits();
  if (first.empty()) return ::testing::AssertionFailure() << "nothing to compare";
  if (bits() != first) return ::testing::AssertionFailure() << "two runs differ";
#ifdef _OPENMP
  const int before = omp_get_max_threads();
  for (const int threads : {1, 3}) {
    omp_set_num_threads(threads);
    const bool same = device.is_cuda() || bits() == first;
    omp_set_num_threads(before);
    if (!same) return ::testing::AssertionFailure() << threads << " and " << before << " threads differ";
  }
#endif
  return ::testing::AssertionSuccess();
}

}  // namespace gpt2::testing
