#include "common/dist/nccl_transport.h"

#include "common/base/error.h"

#ifdef GPT2_HAVE_NCCL
#include <nccl.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "common/base/os.h"
#include "common/tensor/context.h"
#include "common/tensor/cuda_check.h"
#include "common/tensor/memory.h"

namespace gpt2::dist {
namespace {

constexpr size_t kHostValues = 1024;  // at most so many doubles in one call

void check(ncclResult_t result, const char* call) {
  if (result == ncclSuccess) return;
  // If this is because a rank is lost, the watchdog is about to say which, and ends this process.
  std::this_thread::sleep_for(std::chrono::seconds(1));
  fail("{}: {}; NCCL_DEBUG=INFO says more", call, ncclGetErrorString(result));
}
// The name of the function is enough of the call.
#define NCCL_CHECK(function, ...) check(function(__VA_ARGS__), #function)

cudaStream_t handle_of(Stream stream) { return static_cast<cudaStream_t>(stream.handle); }

ncclDataType_t type_of(const Values& x) { return x.dtype == DType::bf16 ? ncclBfloat16 : ncclFloat; }

cudaEvent_t make_event() {
  cudaEvent_t event = nullptr;
  CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  return event;
}

class NcclTransport : public Transport {
 public:
  NcclTransport(Device device, int rank, int world_size, const std::vector<char>& id)
      : device_(device),
        stream_(backend(device).create_stream()),
        rank_(rank),
        world_size_(world_size),
        queued_(make_event()),
        done_(make_event()),
        doubles_(device, kHostValues * sizeof(double)) {
    ncclUniqueId unique_id;
    std::memcpy(&unique_id, id.data(), sizeof(unique_id));
    NCCL_CHECK(ncclCommInitRank, &comm_, world_size, unique_id, rank);
  }

  ~NcclTransport() override {
    backend(device_).synchronize(stream_);
    ncclCommDestroy(comm_);
    cudaEventDestroy(queued_);
    cudaEventDestroy(done_);
  }

  void start_all_reduce(Values x, Reduce reduce) override {
    follow_compute();
    NCCL_CHECK(ncclAllReduce, x.data, x.data, size_t(x.n), type_of(x),
               reduce == Reduce::mean ? ncclAvg : ncclSum, comm_, handle_of(stream_));
  }

  void start_reduce_scatter(Values x, Reduce reduce) override {
    follow_compute();
    const int64_t part = x.n / world_size_;
    NCCL_CHECK(ncclReduceScatter, x.data, x.at(rank_ * part), size_t(part), type_of(x),
               reduce == Reduce::mean ? ncclAvg : ncclSum, comm_, handle_of(stream_));
  }

  void start_all_gather(Values x) override {
    follow_compute();
    const int64_t part = x.n / world_size_;
    NCCL_CHECK(ncclAllGather, x.at(rank_ * part), x.data, size_t(part), type_of(x), comm_,
               handle_of(stream_));
  }

  void wait() override {
    CUDA_CHECK(cudaEventRecord(done_, handle_of(stream_)));
    CUDA_CHECK(cudaStreamWaitEvent(handle_of(compute()), done_, 0));
  }

  void broadcast(Values x) override {
    follow_compute();
    NCCL_CHECK(ncclBroadcast, x.data, x.data, size_t(x.n), type_of(x), 0, comm_, handle_of(stream_));
    wait();
  }

  void all_reduce(std::span<double> values) override {
    require(values.size() <= kHostValues, "all_reduce: {} values on the host, at most {}", values.size(),
            kHostValues);
    backend(device_).copy(doubles_.data(), values.data(), values.size_bytes(), compute());
    follow_compute();
    NCCL_CHECK(ncclAllReduce, doubles_.data(), doubles_.data(), values.size(), ncclDouble, ncclSum, comm_,
               handle_of(stream_));
    wait();
    backend(device_).copy(values.data(), doubles_.data(), values.size_bytes(), compute());
    backend(device_).synchronize(compute());
  }

  std::string error() override {
    ncclResult_t result = ncclSuccess;
    if (ncclCommGetAsyncError(comm_, &result) != ncclSuccess) return "NCCL does not answer";
    const bool well = result == ncclSuccess || result == ncclInProgress;
    return well ? "" : std::string("NCCL: ") + ncclGetErrorString(result);
  }

 private:
  Stream compute() const { return context().stream(device_); }

  // What comes next on our stream comes after what the computing stream holds so far.
  void follow_compute() {
    CUDA_CHECK(cudaEventRecord(queued_, handle_of(compute())));
    CUDA_CHECK(cudaStreamWaitEvent(handle_of(stream_), queued_, 0));
  }

  Device device_;
  Stream stream_;
  int rank_, world_size_;
  cudaEvent_t queued_, done_;  // recorded anew at each use: a wait is for the record before it
  Storage doubles_;
  ncclComm_t comm_ = nullptr;
};

}  // namespace

std::vector<char> make_nccl_id() {
  ncclUniqueId id;
  NCCL_CHECK(ncclGetUniqueId, &id);
  std::vector<char> bytes(sizeof(id));
  std::memcpy(bytes.data(), &id, sizeof(id));
  return bytes;
}

size_t nccl_id_bytes() { return sizeof(ncclUniqueId); }

std::string identity_of_gpu(int index) {
  char bus[32] = "";
  CUDA_CHECK(cudaDeviceGetPCIBusId(bus, sizeof(bus), index));
  return fmt::format("{} of machine {}", bus, os::machine_id());
}

std::unique_ptr<Transport> make_nccl_transport(Device device, int rank, int world_size,
                                               const std::vector<char>& id) {
  return std::make_unique<NcclTransport>(device, rank, world_size, id);
}

}  // namespace gpt2::dist

#else

namespace gpt2::dist {

namespace {

[[noreturn]] void fail_without_nccl() {
  fail(
      "ranks on GPUs need NCCL, and this program was built without it; install it (Debian: libnccl-dev), "
      "then "
      "configure and build again");
}

}  // namespace

std::vector<char> make_nccl_id() { fail_without_nccl(); }
size_t nccl_id_bytes() { return 0; }
std::string identity_of_gpu(int) { fail_without_nccl(); }

std::unique_ptr<Transport> make_nccl_transport(Device, int, int, const std::vector<char>&) {
  fail_without_nccl();
}

}  // namespace gpt2::dist

#endif
