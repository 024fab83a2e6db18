// What moves values between ranks: MPI where they lie in host memory, NCCL where they lie on GPUs. Every call
// is made by all ranks, in the same order and with the same number of values.
//
// since 12_ddp
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace gpt2::dist {

enum class Reduce : uint8_t { sum, mean };

class Transport {
 public:
  virtual ~Transport() = default;

  // x[i] = the sum or mean of all ranks' x[i], with the same bits on all of them; n values. Runs beside what
  // the caller does next, which must leave x alone until wait().
  virtual void start_all_reduce(float* x, int64_t n, Reduce reduce) = 0;
  // What the caller does next comes after all that was started.
  virtual void wait() = 0;

  virtual void broadcast(float* x, int64_t n) = 0;             // rank 0's values to all
  virtual void all_reduce(std::span<double> host_values) = 0;  // sums; a GPU is waited for

  // What has gone wrong since the start, if anything; called by the watchdog's thread.
  virtual std::string error() { return ""; }
};

}  // namespace gpt2::dist
