// The state that would otherwise be a parameter of every function: the tape, whether to record on it, the
// stream of each device, and some settings. Each thread has one Context, changed only by RAII guards. The
// only other global objects are the heaps (common/tensor/memory.h).
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

// The attention kernels on a GPU: ours, cuDNN's, or cuDNN's forward pass with our backward pass. cuDNN's fast
// backward pass adds in any order, ours in a fixed one. since 08_flash_attention
enum class AttentionKernels : uint8_t { own, cudnn, cudnn_forward };

// Which activations the backward pass recomputes, so that they are not kept: none; the results of the GELUs; those and
// the results of the LayerNorms; or, instead, all of a block but its inputs. since 16_recompute
enum class Recompute : uint8_t { none, gelu, layernorm, block };

struct Tape;             // common/ops/autograd.h
class BackwardObserver;  // common/ops/autograd.h
struct CastCache;        // common/ops/autocast.h
struct Dropout;          // common/ops/dropout.h

struct Context {
  bool grad_enabled = true;
  std::shared_ptr<Tape> tape;                     // created by the first op that is recorded
  BackwardObserver* backward_observer = nullptr;  // is told when gradients are final; since 12_ddp
  MatmulPrecision matmul_precision = MatmulPrecision::highest;
  bool tune_matmul = false;
  AttentionKernels attention = AttentionKernels::own;
  Device parameter_device = kCpu;    // with kMeta, parameters have no values and are not initialised
  Device planned_device = kCpu;      // the device whose workspaces an op asks for on the meta device
  std::shared_ptr<CastCache> casts;  // null unless an Autocast exists
  Dropout* dropout = nullptr;        // null unless a Dropout guard exists; since 13_fineweb
  Recompute recompute = Recompute::none;
  KernelCounts counts;

  // The stream on which work for `device` is queued; created by the first call.
  Stream stream(Device device);

 private:
  std::map<int, Stream> cuda_streams_;
};

Context& context();  // the context of this thread

// A guard: sets one member of the context, and restores the old value when it goes out of scope.
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

// While a NoGrad exists, no op is recorded: torch.no_grad().
struct NoGrad : Setting<bool, &Context::grad_enabled> {
  NoGrad() : Setting(false) {}
};

// The precision of float32 matrix products: const Precision precision(MatmulPrecision::high);
using Precision = Setting<MatmulPrecision, &Context::matmul_precision>;

// With true, a matrix product on a GPU uses the fastest of cuBLASLt's algorithms, found by timing them when
// the shape is new. With false, it uses cuBLASLt's first suggestion, which gives the same bits in every run.
using MatmulTuning = Setting<bool, &Context::tune_matmul>;

// The kernels that scaled_dot_product_attention uses on a GPU.
using Attention = Setting<AttentionKernels, &Context::attention>;

// Which activations are recomputed. since 16_recompute
using Recomputing = Setting<Recompute, &Context::recompute>;

// The device on which new modules create their parameters.
using ParameterDevice = Setting<Device, &Context::parameter_device>;

// The device that the meta device stands for: ops on meta tensors ask for the workspaces of that device's kernels.
using PlannedDevice = Setting<Device, &Context::planned_device>;

// Waits until all work that this thread queued on `device` is done.
void synchronize(Device device);

}  // namespace gpt2
