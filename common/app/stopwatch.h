// Measures how long work on the device takes: the host's clock, read when all queued work is done.
//
// since 04_overfit
#pragma once

#include <chrono>

#include "common/tensor/context.h"

namespace gpt2::app {

class StopWatch {
 public:
  explicit StopWatch(Device device) : device_(device), start_(Clock::now()) {}

  // Waits for the device and returns the milliseconds since construction.
  double ms() const {
    synchronize(device_);
    return std::chrono::duration<double, std::milli>(Clock::now() - start_).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Device device_;
  Clock::time_point start_;
};

}  // namespace gpt2::app
