// What the code that runs now would otherwise have to be told by every caller: the tape, whether to record on
// it, and the stream of each device. One per thread, changed only by RAII guards; there is no other global
// but the heaps (common/tensor/memory.h).
//
// since 01_module
#pragma once

#include <map>
#include <memory>
#include <utility>

#include "common/tensor/device.h"
#include "common/tensor/dtype.h"
#include "common/tensor/kernel_counts.h"

namespace gpt2 {

// Whose kernels compute attention on a GPU: ours, or cuDNN's. since 08_flash_attention
enum class AttentionKernels : uint8_t { own, cudnn };

struct Tape;             // common/ops/autograd.h
class BackwardObserver;  // common/ops/autograd.h
struct CastCache;        // common/ops/autocast.h
struct Dropout;          // common/ops/dropout.h

struct Context {
  bool grad_enabled = true;
  std::shared_ptr<Tape> tape;                     // made by the first op that records itself
  BackwardObserver* backward_observer = nullptr;  // is told when gradients are final: since 12_ddp
  MatmulPrecision matmul_precision = MatmulPrecision::highest;
  bool tune_matmul = false;
  AttentionKernels attention = AttentionKernels::own;
  Device parameter_device = kCpu;    // meta: parameters without values, which nobody draws
  std::shared_ptr<CastCache> casts;  // null unless an Autocast lives
  Dropout* dropout = nullptr;        // null unless one lives: since 13_fineweb
  KernelCounts counts;

  // The stream on which work for `device` is queued; made at the first call.
  Stream stream(Device device);

 private:
  std::map<int, Stream> cuda_streams_;
};

Context& context();  // this thread's

// A guard: one member of the context has another value until this goes out of scope.
template <class T, T Context::*member>
class Setting {
 public:
  explicit Setting(T value) : before_(std::exchange(context().*member, std::move(value))) {}
  ~Setting() { context().*member = std::move(before_); }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  T before_;
};

// No op is recorded while one of these lives: torch.no_grad().
struct NoGrad : Setting<bool, &Context::grad_enabled> {
  NoGrad() : Setting(false) {}
};

// How float32 matrix products multiply: const Precision precision(MatmulPrecision::high);
using Precision = Setting<MatmulPrecision, &Context::matmul_precision>;

// Whether a matrix product takes the fastest of the algorithms of a GPU's library, which are tried when its
// shape is new; otherwise it takes the library's first suggestion, whose bits are the same every time.
using MatmulTuning = Setting<bool, &Context::tune_matmul>;

// Whose kernels scaled_dot_product_attention uses on a GPU.
using Attention = Setting<AttentionKernels, &Context::attention>;

// Where new modules put their parameters.
using ParameterDevice = Setting<Device, &Context::parameter_device>;

// Waits until all work queued on `device` is done.
void synchronize(Device device);

}  // namespace gpt2
