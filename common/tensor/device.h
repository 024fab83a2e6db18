// Where a tensor lives and where its kernels run.
//
// A Device is the CPU or a GPU; a Stream is an ordered queue of work on it. On the CPU, work is done when the
// call returns. On a GPU it is queued, and only Backend::synchronize waits for it. Nothing in a training step
// waits except Tensor::item(), so that a step can be captured as a CUDA graph.
//
// The third device, meta, does no work: its tensors have shapes but no values, and no kernel runs. A training
// step on it takes almost no time and shows how much memory the real step will need
// (common/app/memory_check.h).
//
// since 01_module; meta since 04_overfit
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace gpt2 {

enum class DeviceType : uint8_t { cpu, cuda, meta };

struct Device {
  DeviceType type = DeviceType::cpu;
  int index = 0;

  bool is_cuda() const { return type == DeviceType::cuda; }
  bool operator==(const Device&) const = default;
};

inline constexpr Device kCpu{}, kMeta{DeviceType::meta, 0};

std::string to_string(Device device);  // "cpu", "cuda:0", "meta"

// A queue of work on `device`; `handle` is its cudaStream_t, null on the CPU.
struct Stream {
  Device device;
  void* handle = nullptr;
};

// What the library needs from the runtime of a device. All sizes are in bytes.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual Stream create_stream() = 0;
  virtual void synchronize(Stream stream) = 0;  // waits for all work queued on `stream`

  // Memory for the caching allocator (common/tensor/memory.h), aligned to at least kAlignment. allocate
  // returns null if no memory is left.
  virtual void* allocate(size_t bytes) = 0;
  virtual void release(void* pointer, size_t bytes) = 0;

  // Copies `bytes` in stream order; either side may be host memory. The caller may overwrite host memory
  // `from` when the call has returned, but must synchronize before it reads host memory `to`.
  virtual void copy(void* to, const void* from, size_t bytes, Stream stream) = 0;
  virtual void fill_zero(void* to, size_t bytes, Stream stream) = 0;

  virtual std::string name() const = 0;                 // "NVIDIA H200", "AMD EPYC 9654"
  virtual int compute_capability() const { return 0; }  // of a GPU: 90 is 9.0
  virtual size_t available_memory_bytes() const = 0;    // how much could be allocated now
};

// Returns the backend of `device`. Throws if this machine or this build has none; the message gives the
// reason.
Backend& backend(Device device);

// 0 without a GPU, without a driver, or in a build without CUDA. Throws if there is a driver that does not work, for
// example because it is too old.
int cuda_device_count();

// GPUs before Ampere (a T4 is 7.5) have neither bf16 nor TF32.
inline constexpr int kAmpere = 80;

// Parses auto (the first GPU if there is one, else the CPU), cpu, cuda or cuda:N. Throws if the text is
// something else, if there is no such GPU, or if the driver does not work.
Device parse_device(const std::string& text);

}  // namespace gpt2
