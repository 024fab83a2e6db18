// Host code with one bug each in its use of streams and graphs, to see that the executor catches it:
// planted_stream_bugs NAME runs the code with its bug in the order of submission and in random orders (queue.h),
// planted_stream_bugs NAME --fixed the same without. planted_bugs_test.cpp runs them all.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "common/kernels/cuda/gpu.cuh"

namespace {

using namespace gpt2;
using namespace gpt2::cuda;

constexpr int kN = 64;
constexpr size_t kBytes = kN * sizeof(float);

__global__ void add_kernel(float* out, const float* in, float value) {
  out[threadIdx.x] = in[threadIdx.x] + value;
}

void add(cudaStream_t stream, float* out, const float* in, float value) {
  launch(add_kernel, 1, kN, 0, Stream{{DeviceType::cuda, 0}, stream}, out, in, value);
}

// What every bug works with. The buffers on the device hold zeros.
struct Gpu {
  Gpu() {
    for (cudaStream_t* stream : {&a, &b}) {
      CUDA_CHECK(cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking));
    }
    CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    for (float** memory : {&x, &y, &z}) {
      CUDA_CHECK(cudaMalloc(memory, kBytes));
      CUDA_CHECK(cudaMemsetAsync(*memory, 0, kBytes, a));
    }
    CUDA_CHECK(cudaMallocHost(&host, kBytes));
    for (int i = 0; i < kN; ++i) host[i] = 0;
    CUDA_CHECK(cudaStreamSynchronize(a));
  }
  ~Gpu() {
    for (const cudaStream_t stream : {a, b}) cudaStreamDestroy(stream);
    cudaEventDestroy(event);
    for (float* memory : {x, y, z}) cudaFree(memory);
    cudaFreeHost(host);
  }
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  void after(cudaStream_t stream, cudaStream_t other) const {
    CUDA_CHECK(cudaEventRecord(event, other));
    CUDA_CHECK(cudaStreamWaitEvent(stream, event, 0));
  }
  std::vector<float> values(const float* from) const {
    CUDA_CHECK(cudaDeviceSynchronize());
    std::vector<float> values(kN);
    CUDA_CHECK(cudaMemcpy(values.data(), from, kBytes, cudaMemcpyDeviceToHost));
    return values;
  }

  cudaStream_t a = nullptr, b = nullptr;
  cudaEvent_t event = nullptr;
  float *x = nullptr, *y = nullptr, *z = nullptr;
  float* host = nullptr;  // pinned
  mutable std::vector<float> pageable = std::vector<float>(kN);
};

// Each returns values that are all 1, as far as its bug lets them.
using Code = std::vector<float> (*)(bool bug, const Gpu& gpu);

std::vector<float> missing_event(bool bug, const Gpu& gpu) {
  add(gpu.a, gpu.x, gpu.x, 1);
  if (!bug) gpu.after(gpu.b, gpu.a);
  add(gpu.b, gpu.y, gpu.x, 0);
  return gpu.values(gpu.y);
}

std::vector<float> event_recorded_too_early(bool bug, const Gpu& gpu) {
  if (bug) gpu.after(gpu.b, gpu.a);
  add(gpu.a, gpu.x, gpu.x, 1);
  if (!bug) gpu.after(gpu.b, gpu.a);
  add(gpu.b, gpu.y, gpu.x, 0);
  return gpu.values(gpu.y);
}

// Waiting for an event that is not recorded yet is waiting for nothing.
std::vector<float> event_waited_for_before_its_record(bool bug, const Gpu& gpu) {
  if (bug) CUDA_CHECK(cudaStreamWaitEvent(gpu.b, gpu.event, 0));
  add(gpu.a, gpu.x, gpu.x, 1);
  CUDA_CHECK(cudaEventRecord(gpu.event, gpu.a));
  if (!bug) CUDA_CHECK(cudaStreamWaitEvent(gpu.b, gpu.event, 0));
  add(gpu.b, gpu.y, gpu.x, 0);
  return gpu.values(gpu.y);
}

// x is scratch memory that stream b still reads when the allocator gives it to stream a.
std::vector<float> buffer_reused_too_early(bool bug, const Gpu& gpu) {
  add(gpu.a, gpu.x, gpu.x, 1);
  gpu.after(gpu.b, gpu.a);
  add(gpu.b, gpu.y, gpu.x, 0);
  if (!bug) gpu.after(gpu.a, gpu.b);
  float* reused = gpu.x;
  add(gpu.a, reused, gpu.z, 5);
  return gpu.values(gpu.y);
}

std::vector<float> host_buffer_changed_before_the_copy(bool bug, const Gpu& gpu) {
  for (int i = 0; i < kN; ++i) gpu.host[i] = 1;
  CUDA_CHECK(cudaMemcpyAsync(gpu.x, gpu.host, kBytes, cudaMemcpyHostToDevice, gpu.a));
  if (!bug) CUDA_CHECK(cudaStreamSynchronize(gpu.a));
  for (int i = 0; i < kN; ++i) gpu.host[i] = 5;
  return gpu.values(gpu.x);
}

std::vector<float> pageable_buffer_changed_before_the_copy(bool bug, const Gpu& gpu) {
  gpu.pageable.assign(kN, 1);
  CUDA_CHECK(cudaMemcpyAsync(gpu.x, gpu.pageable.data(), kBytes, cudaMemcpyHostToDevice, gpu.a));
  if (!bug) CUDA_CHECK(cudaStreamSynchronize(gpu.a));
  gpu.pageable.assign(kN, 5);
  return gpu.values(gpu.x);
}

std::vector<float> read_on_the_host_without_synchronising(bool bug, const Gpu& gpu) {
  add(gpu.a, gpu.x, gpu.x, 1);
  CUDA_CHECK(cudaMemcpyAsync(gpu.host, gpu.x, kBytes, cudaMemcpyDeviceToHost, gpu.a));
  if (!bug) CUDA_CHECK(cudaStreamSynchronize(gpu.a));
  return {gpu.host, gpu.host + kN};
}

std::vector<float> synchronised_with_another_stream(bool bug, const Gpu& gpu) {
  add(gpu.a, gpu.x, gpu.x, 1);
  CUDA_CHECK(cudaMemcpyAsync(gpu.host, gpu.x, kBytes, cudaMemcpyDeviceToHost, gpu.a));
  CUDA_CHECK(cudaStreamSynchronize(bug ? gpu.b : gpu.a));
  return {gpu.host, gpu.host + kN};
}

// A non-blocking stream does not wait for the legacy stream, on which cudaMemcpy works, nor the other way round.
std::vector<float> memcpy_beside_a_stream(bool bug, const Gpu& gpu) {
  add(gpu.a, gpu.x, gpu.x, 1);
  if (!bug) CUDA_CHECK(cudaStreamSynchronize(gpu.a));
  std::vector<float> values(kN);
  CUDA_CHECK(cudaMemcpy(values.data(), gpu.x, kBytes, cudaMemcpyDeviceToHost));
  return values;
}

template <class Record>
void replay_twice(const Gpu& gpu, const Record& record) {
  CUDA_CHECK(cudaStreamBeginCapture(gpu.a, cudaStreamCaptureModeThreadLocal));
  record();
  cudaGraph_t graph = nullptr;
  CUDA_CHECK(cudaStreamEndCapture(gpu.a, &graph));
  cudaGraphExec_t executable = nullptr;
  CUDA_CHECK(cudaGraphInstantiate(&executable, graph, 0));
  CUDA_CHECK(cudaGraphDestroy(graph));
  for (int i = 0; i < 2; ++i) CUDA_CHECK(cudaGraphLaunch(executable, gpu.a));
  CUDA_CHECK(cudaStreamSynchronize(gpu.a));
  CUDA_CHECK(cudaGraphExecDestroy(executable));
}

// The graph's second stream is joined at the end, too late for the kernel that reads its result.
std::vector<float> missing_event_in_a_graph(bool bug, const Gpu& gpu) {
  replay_twice(gpu, [&] {
    CUDA_CHECK(cudaMemsetAsync(gpu.x, 0, kBytes, gpu.a));
    gpu.after(gpu.b, gpu.a);
    add(gpu.b, gpu.x, gpu.x, 1);
    if (!bug) gpu.after(gpu.a, gpu.b);
    add(gpu.a, gpu.y, gpu.x, 0);
    if (bug) gpu.after(gpu.a, gpu.b);
  });
  return gpu.values(gpu.y);
}

// What a graph reads from the host has to stay there until the graph has run.
std::vector<float> host_buffer_changed_before_the_replay(bool bug, const Gpu& gpu) {
  for (int i = 0; i < kN; ++i) gpu.host[i] = 1;
  replay_twice(gpu, [&] {
    CUDA_CHECK(cudaMemcpyAsync(gpu.x, gpu.host, kBytes, cudaMemcpyHostToDevice, gpu.a));
    if (bug) gpu.host[0] = 5;
  });
  return gpu.values(gpu.x);
}

// Calls that a capture does not allow, and the same call before it.
template <class Call>
std::vector<float> record_with(bool bug, const Gpu& gpu, const Call& call) {
  if (!bug) CUDA_CHECK(call());
  replay_twice(gpu, [&] {
    CUDA_CHECK(cudaMemsetAsync(gpu.x, 0, kBytes, gpu.a));
    if (bug) CUDA_CHECK(call());
    add(gpu.a, gpu.x, gpu.x, 1);
  });
  return gpu.values(gpu.x);
}

std::vector<float> allocation_in_a_capture(bool bug, const Gpu& gpu) {
  float* memory = nullptr;
  const auto values = record_with(bug, gpu, [&] { return cudaMalloc(&memory, kBytes); });
  CUDA_CHECK(cudaFree(memory));
  return values;
}

std::vector<float> synchronisation_in_a_capture(bool bug, const Gpu& gpu) {
  return record_with(bug, gpu, [&] { return cudaStreamSynchronize(gpu.a); });
}

std::vector<float> query_in_a_capture(bool bug, const Gpu& gpu) {
  return record_with(bug, gpu, [&] { return cudaEventSynchronize(gpu.event); });
}

std::vector<float> pageable_copy_in_a_capture(bool bug, const Gpu& gpu) {
  return record_with(bug, gpu, [&] {
    return cudaMemcpyAsync(gpu.y, gpu.pageable.data(), kBytes, cudaMemcpyHostToDevice, gpu.a);
  });
}

std::vector<float> event_from_before_the_capture(bool bug, const Gpu& gpu) {
  CUDA_CHECK(cudaEventRecord(gpu.event, gpu.b));
  return record_with(bug, gpu, [&] { return cudaStreamWaitEvent(gpu.a, gpu.event, 0); });
}

std::vector<float> stream_left_behind_by_a_capture(bool bug, const Gpu& gpu) {
  replay_twice(gpu, [&] {
    CUDA_CHECK(cudaMemsetAsync(gpu.x, 0, kBytes, gpu.a));
    gpu.after(gpu.b, gpu.a);
    add(gpu.b, gpu.x, gpu.x, 1);
    if (!bug) gpu.after(gpu.a, gpu.b);
  });
  return gpu.values(gpu.x);
}

struct Bug {
  const char* name;
  Code code;
};

#define BUG(code) \
  { #code, code }
constexpr Bug kBugs[] = {
    BUG(missing_event),
    BUG(event_recorded_too_early),
    BUG(event_waited_for_before_its_record),
    BUG(buffer_reused_too_early),
    BUG(host_buffer_changed_before_the_copy),
    BUG(pageable_buffer_changed_before_the_copy),
    BUG(read_on_the_host_without_synchronising),
    BUG(synchronised_with_another_stream),
    BUG(memcpy_beside_a_stream),
    BUG(missing_event_in_a_graph),
    BUG(host_buffer_changed_before_the_replay),
    BUG(allocation_in_a_capture),
    BUG(synchronisation_in_a_capture),
    BUG(query_in_a_capture),
    BUG(pageable_copy_in_a_capture),
    BUG(event_from_before_the_capture),
    BUG(stream_left_behind_by_a_capture),
};

// In the order of submission, and in random ones; says in which the values are wrong first.
int run(Code code, bool bug) {
  constexpr uint64_t kOrders = 20;
  for (uint64_t seed = 0; seed <= kOrders; ++seed) {
    executor::order_streams(seed);
    const std::vector<float> values = code(bug, Gpu());
    if (values == std::vector<float>(kN, 1)) continue;
    std::printf("wrong result in %s\n", seed == 0 ? "the order of submission" : "a random order");
    return 1;
  }
  std::puts("right result");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  const bool fixed = argc > 2 && std::string(argv[2]) == "--fixed";
  for (const Bug& bug : kBugs) {
    if (name != bug.name) continue;
    try {
      return run(bug.code, !fixed);
    } catch (const std::exception& error) {
      std::printf("error: %s\n", error.what());
      return 1;
    }
  }
  std::printf("there is no bug named '%s'\n", name.c_str());
  return 2;
}
