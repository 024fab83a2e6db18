// What the code that runs now would otherwise have to be told by every caller: the tape, whether to record on
// it, and the stream of each device. One per thread, changed only by RAII guards; there is no other global
// but the heaps (common/tensor/memory.h).
//
// since 01_module
#pragma once

#include <map>
#include <memory>

#include "common/tensor/device.h"
#include "common/tensor/dtype.h"
#include "common/tensor/kernel_counts.h"

namespace gpt2 {

struct Tape;       // common/ops/autograd.h
struct CastCache;  // common/ops/autocast.h

struct Context {
  bool grad_enabled = true;
  std::shared_ptr<Tape> tape;  // made by the first op that records itself
  MatmulPrecision matmul_precision = MatmulPrecision::highest;
  bool tune_matmul = false;
  std::shared_ptr<CastCache> casts;  // null unless an Autocast lives
  KernelCounts counts;

  // The stream on which work for `device` is queued; made at the first call.
  Stream stream(Device device);

 private:
  std::map<int, Stream> cuda_streams_;
};

Context& context();  // this thread's

// No op is recorded while one of these lives: torch.no_grad().
class NoGrad {
 public:
  NoGrad() : before_(context().grad_enabled) { context().grad_enabled = false; }
  ~NoGrad() { context().grad_enabled = before_; }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

// Float32 matrix products have this precision while one of these lives.
class Precision {
 public:
  explicit Precision(MatmulPrecision precision) : before_(context().matmul_precision) {
    context().matmul_precision = precision;
  }
  ~Precision() { context().matmul_precision = before_; }
  Precision(const Precision&) = delete;
  Precision& operator=(const Precision&) = delete;

 private:
  MatmulPrecision before_;
};

// While one of these lives, a matrix product that a GPU meets for the first time is timed with several algorithms,
// and keeps the fastest; otherwise it gets the library's first suggestion. For the first training step only: it
// waits for the GPU, and two runs may choose differently.   since 05_tf32
class MatmulTuning {
 public:
  explicit MatmulTuning(bool on = true) : before_(context().tune_matmul) { context().tune_matmul = on; }
  ~MatmulTuning() { context().tune_matmul = before_; }
  MatmulTuning(const MatmulTuning&) = delete;
  MatmulTuning& operator=(const MatmulTuning&) = delete;

 private:
  bool before_;
};

// Waits until all work queued on `device` is done.
void synchronize(Device device);

}  // namespace gpt2
