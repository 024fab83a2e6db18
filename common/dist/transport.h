// What moves values between ranks: MPI where they lie in host memory, NCCL where they lie on GPUs. Every call
// is made by all ranks, in the same order and with the same number of values.
//
// since 12_ddp
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "common/tensor/dtype.h"

namespace gpt2::dist {

enum class Reduce : uint8_t { sum, mean };

// n contiguous values, float or bf16 (since 15_bf16_weights). MPI's ranks add up bf16 values in float and
// round the sum once; NCCL may round each partial sum.
struct Values {
  void* data;
  int64_t n;
  DType dtype;

  void* at(int64_t i) const { return static_cast<char*>(data) + size_t(i) * size_of(dtype); }
};

class Transport {
 public:
  virtual ~Transport() = default;

  // x[i] = the sum or mean of all ranks' x[i], with the same bits on all of them. Runs beside what the caller does
  // next, which must leave x alone until wait().
  virtual void start_all_reduce(Values x, Reduce reduce) = 0;
  // x is world_size parts of equal size, one for each rank. reduce_scatter: this rank's part becomes the sum or mean of
  // all ranks' values, with the bits of start_all_reduce; the other parts are undefined. all_gather: the other parts
  // become the values of their ranks.   since 17_zero
  virtual void start_reduce_scatter(Values x, Reduce reduce) = 0;
  virtual void start_all_gather(Values x) = 0;

  // What the caller does next comes after all that was started.
  virtual void wait() = 0;

  virtual void broadcast(Values x) = 0;                        // rank 0's values to all
  virtual void all_reduce(std::span<double> host_values) = 0;  // sums; a GPU is waited for

  // What has gone wrong since the start, if anything; called by the watchdog's thread.
  virtual std::string error() { return ""; }
};

}  // namespace gpt2::dist
