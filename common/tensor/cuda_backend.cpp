#include "common/tensor/cuda_backend.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "common/base/error.h"
#include "common/tensor/cuda_check.h"

namespace gpt2 {
namespace {

cudaStream_t handle_of(Stream stream) { return static_cast<cudaStream_t>(stream.handle); }

// Copies host memory to the GPU. CUDA does not specify when cudaMemcpyAsync has read ordinary, pageable
// memory ("might be synchronous", and it may wait for the stream first). So the bytes are first copied into
// one of a few pinned buffers, which the GPU reads in stream order. A buffer is reused when the GPU has read
// it. There are enough buffers that a batch of token ids never waits for the previous step.
class Uploads {
 public:
  void copy(void* to, const void* from, size_t bytes, cudaStream_t stream) {
    for (size_t done = 0; done < bytes; done += kBytes) {
      const size_t n = std::min(bytes - done, kBytes);
      const Buffer& buffer = next_free();
      std::memcpy(buffer.memory, static_cast<const char*>(from) + done, n);
      CUDA_CHECK(
          cudaMemcpyAsync(static_cast<char*>(to) + done, buffer.memory, n, cudaMemcpyHostToDevice, stream));
      CUDA_CHECK(cudaEventRecord(buffer.read, stream));
    }
  }

 private:
  static constexpr size_t kBytes = size_t{1} << 20;
  struct Buffer {
    void* memory = nullptr;
    cudaEvent_t read = nullptr;  // the GPU has read `memory`
  };

  const Buffer& next_free() {
    Buffer& buffer = buffers_[next_];
    next_ = (next_ + 1) % buffers_.size();
    if (buffer.memory == nullptr) {
      CUDA_CHECK(cudaMallocHost(&buffer.memory, kBytes));
      CUDA_CHECK(cudaEventCreateWithFlags(&buffer.read, cudaEventDisableTiming));
    }
    CUDA_CHECK(cudaEventSynchronize(buffer.read));  // returns at once if it was never recorded
    return buffer;
  }

  std::array<Buffer, 8> buffers_;
  size_t next_ = 0;
};

// Without a destructor: the backend lives until the process ends, when the CUDA runtime may already be shut
// down.
class CudaBackend : public Backend {
 public:
  explicit CudaBackend(int index) : index_(index) {}

  Stream create_stream() override {
    make_current();
    cudaStream_t stream = nullptr;
    CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    streams_.push_back(stream);
    return {{DeviceType::cuda, index_}, stream};
  }

  void synchronize(Stream stream) override {
    make_current();
    CUDA_CHECK(cudaStreamSynchronize(handle_of(stream)));
  }

  void* allocate(size_t bytes) override {
    make_current();
    void* memory = nullptr;
    const cudaError_t error = cudaMalloc(&memory, bytes);
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // clears the error; the caller handles it
      return nullptr;
    }
    cuda::check(error, "cudaMalloc", __FILE__, __LINE__);
    return memory;
  }

  void release(void* pointer, size_t) override {
    make_current();
    CUDA_CHECK(cudaFree(pointer));
  }

  void copy(void* to, const void* from, size_t bytes, Stream stream) override {
    if (bytes == 0) return;  // the pointers may be null then
    make_current();
    if (is_on_host(from)) {
      uploads_.copy(to, from, bytes, handle_of(stream));
    } else {
      CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, handle_of(stream)));
    }
  }

  void fill_zero(void* to, size_t bytes, Stream stream) override {
    make_current();
    CUDA_CHECK(cudaMemsetAsync(to, 0, bytes, handle_of(stream)));
  }

  std::string name() const override { return properties().name; }
  int compute_capability() const override {
    const cudaDeviceProp gpu = properties();
    return 10 * gpu.major + gpu.minor;
  }
  size_t available_memory_bytes() const override {
    make_current();
    size_t available = 0, total = 0;
    CUDA_CHECK(cudaMemGetInfo(&available, &total));
    return available;
  }

 private:
  void make_current() const { CUDA_CHECK(cudaSetDevice(index_)); }

  cudaDeviceProp properties() const {
    cudaDeviceProp properties{};
    CUDA_CHECK(cudaGetDeviceProperties(&properties, index_));
    return properties;
  }

  static bool is_on_host(const void* pointer) {
    cudaPointerAttributes attributes{};
    CUDA_CHECK(cudaPointerGetAttributes(&attributes, pointer));
    return attributes.type == cudaMemoryTypeUnregistered || attributes.type == cudaMemoryTypeHost;
  }

  int index_;
  Uploads uploads_;
  std::vector<cudaStream_t> streams_;  // they live as long as the backend, even if their threads end
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(int index) { return std::make_unique<CudaBackend>(index); }

int cuda_device_count() {
  int count = 0, driver = 0, runtime = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess) return count;
  cudaGetLastError();  // clears the error
  if (error == cudaErrorNoDevice) return 0;
  CUDA_CHECK(cudaDriverGetVersion(&driver));
  if (driver == 0) return 0;  // no driver is installed: CUDA reports that as a driver that is too old
  CUDA_CHECK(cudaRuntimeGetVersion(&runtime));
  const auto version = [](int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); };
  require(error != cudaErrorInsufficientDriver,
          "the NVIDIA driver is for CUDA {}, this program for CUDA {}: update the driver, or build with CUDA "
          "{}, or "
          "use --device cpu",
          version(driver), version(runtime), version(driver));
  fail("the GPUs cannot be used: {}; see what nvidia-smi says, or use --device cpu",
       cudaGetErrorString(error));
}

}  // namespace gpt2
