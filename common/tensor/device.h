// Where a tensor lives and where its kernels run.
//
// A Device names a processor; a Stream names an ordered queue of work on it. On the CPU work is done
// when the call returns; on a GPU it is queued, and only Backend::synchronize waits for it. Nothing in
// a training step waits except Tensor::item(), so that a step can be captured as a CUDA graph.
//
// The third device, meta, is no processor: its tensors have shapes and no values, and no kernel runs. A
// training step on it takes no time and says how much memory the real one will want
// (common/app/memory_check.h).
//
// since 01_module
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

// What the library asks of a processor's runtime. All sizes are bytes.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual Stream create_stream() = 0;
  virtual void synchronize(Stream stream) = 0;  // waits for all work queued on `stream`

  // Memory for the caching allocator (common/tensor/memory.h). allocate returns null where there is none
  // left; at least kAlignment-aligned.
  virtual void* allocate(size_t bytes) = 0;
  virtual void release(void* pointer, size_t bytes) = 0;

  // Copies `bytes` in stream order; either side may be host memory. Host memory may be reused once the
  // call has returned; reading it needs a synchronize.
  virtual void copy(void* to, const void* from, size_t bytes, Stream stream) = 0;
  virtual void fill_zero(void* to, size_t bytes, Stream stream) = 0;

  virtual std::string name() const = 0;               // "NVIDIA H200", "AMD EPYC 9654"
  virtual size_t available_memory_bytes() const = 0;  // what could be allocated now
};

// The backend that serves `device`. Fails with the reason where the machine or the build has none.
Backend& backend(Device device);

int cuda_device_count();  // 0 without a GPU, a driver, or CUDA in this build

// auto: the first GPU where there is one, the CPU otherwise. Also cpu, cuda, cuda:N.
Device parse_device(const std::string& text);

}  // namespace gpt2
