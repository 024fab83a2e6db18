#include "common/tensor/device.h"

#include <sys/mman.h>

#include <cstring>
#include <map>
#include <memory>

#include "common/base/error.h"
#include "common/base/os.h"
#include "common/tensor/cuda_graph.h"
#ifdef GPT2_CUDA
#include "common/tensor/cuda_backend.h"
#endif

namespace gpt2 {
namespace {

class CpuBackend : public Backend {
 public:
  Stream create_stream() override { return Stream{kCpu, nullptr}; }
  void synchronize(Stream) override {}

  // Asks for huge pages: fewer page faults and TLB misses for large tensors.
  void* allocate(size_t bytes) override {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    os::prefer_huge_pages(memory, bytes);
    return memory;
  }
  void release(void* pointer, size_t bytes) override { munmap(pointer, bytes); }

  void copy(void* to, const void* from, size_t bytes, Stream) override {
    if (bytes > 0) std::memcpy(to, from, bytes);  // an empty vector's data() is null, which memcpy forbids
  }
  void fill_zero(void* to, size_t bytes, Stream) override { std::memset(to, 0, bytes); }

  std::string name() const override { return os::processor_name(); }
  size_t available_memory_bytes() const override { return os::available_memory_bytes(); }
};

// Returns addresses that must not be read or written; every block has a different one.
class MetaBackend : public Backend {
 public:
  Stream create_stream() override { return Stream{kMeta, nullptr}; }
  void synchronize(Stream) override {}
  void* allocate(size_t bytes) override {
    if (bytes > UINTPTR_MAX - next_) return nullptr;
    const uintptr_t address = next_;
    next_ += bytes;
    return reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr): never dereferenced
  }
  void release(void*, size_t) override {}
  void copy(void*, const void*, size_t, Stream) override {}
  void fill_zero(void*, size_t, Stream) override {}
  std::string name() const override { return "no device"; }
  size_t available_memory_bytes() const override { return SIZE_MAX; }

 private:
  uintptr_t next_ = uintptr_t{1} << 62;
};

Backend& cuda_backend(int index) {
#ifdef GPT2_CUDA
  const int count = cuda_device_count();
  require(count > 0, "--device cuda: no GPU found; use --device cpu, or check the driver with nvidia-smi");
  require(index >= 0 && index < count, "--device cuda:{}: this machine has cuda:0 to cuda:{}", index,
          count - 1);
  static auto& backends = *new std::map<int, std::unique_ptr<Backend>>;  // outlives every tensor
  auto& slot = backends[index];
  if (!slot) slot = make_cuda_backend(index);
  return *slot;
#else
  fail(
      "--device cuda:{}: this program was built without CUDA; use --device cpu, or configure with --preset "
      "cuda",
      index);
#endif
}

}  // namespace

std::string to_string(Device device) {
  return device.is_cuda() ? fmt::format("cuda:{}", device.index) : device == kMeta ? "meta" : "cpu";
}

Backend& backend(Device device) {
  static auto& cpu = *new CpuBackend;
  static auto& meta = *new MetaBackend;
  if (device == kMeta) return meta;
  return device.is_cuda() ? cuda_backend(device.index) : static_cast<Backend&>(cpu);
}

#ifndef GPT2_CUDA
int cuda_device_count() { return 0; }

CudaGraph::CudaGraph(Device device, const std::function<void()>&) : device_(device) {
  fail("CUDA graphs need a GPU, not {}", to_string(device));
}
void CudaGraph::replay() const { fail("CUDA graphs need a GPU, not {}", to_string(device_)); }
#endif

Device parse_device(const std::string& text) {
  if (text == "auto") return cuda_device_count() > 0 ? Device{DeviceType::cuda, 0} : kCpu;
  if (text == "cpu") return kCpu;
  const std::string digits = text.starts_with("cuda:") ? text.substr(5) : "";
  const bool is_number =
      !digits.empty() && digits.size() < 4 && digits.find_first_not_of("0123456789") == std::string::npos;
  require(text == "cuda" || is_number, "--device {}: expected auto, cpu, cuda or cuda:N", text);
  const Device device{DeviceType::cuda, is_number ? std::stoi(digits) : 0};
  backend(device);  // throws now if there is no such GPU
  return device;
}

}  // namespace gpt2
