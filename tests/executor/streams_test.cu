// What CUDA promises about streams, events and graphs holds in the executor, in whatever order it runs the work
// (EXECUTOR_STREAM_SEED), and what CUDA forbids while a stream is captured fails. Nothing here knows the executor: nvcc
// compiles the file too.
#include <gtest/gtest.h>

#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "common/kernels/cuda/gpu.cuh"

namespace gpt2::cuda {
namespace {

constexpr int kN = 1000;
constexpr size_t kBytes = kN * sizeof(int);

__global__ void add_kernel(int* out, const int* in, int value) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < kN) out[i] = in[i] + value;
}

class Streams : public testing::Test {
 protected:
  void SetUp() override {
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) GTEST_SKIP() << "no GPU on this machine";
    for (cudaStream_t* stream : {&a_, &b_}) {
      CUDA_CHECK(cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking));
    }
    CUDA_CHECK(cudaStreamCreateWithFlags(&blocking_, 0));
    for (cudaEvent_t* event : {&event_, &other_event_}) {
      CUDA_CHECK(cudaEventCreateWithFlags(event, cudaEventDisableTiming));
    }
    for (int** memory : {&x_, &y_}) CUDA_CHECK(cudaMalloc(memory, kBytes));
    for (int** memory : {&in_, &out_}) CUDA_CHECK(cudaMallocHost(memory, kBytes));
    std::iota(in_, in_ + kN, 0);
    CUDA_CHECK(cudaMemsetAsync(x_, 0, kBytes, a_));
    CUDA_CHECK(cudaMemsetAsync(y_, 0, kBytes, a_));
    CUDA_CHECK(cudaStreamSynchronize(a_));
  }
  void TearDown() override {
    if (IsSkipped()) return;
    for (const cudaStream_t stream : {a_, b_, blocking_}) EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
    for (const cudaEvent_t event : {event_, other_event_}) EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
    for (int* memory : {x_, y_}) EXPECT_EQ(cudaFree(memory), cudaSuccess);
    for (int* memory : {in_, out_}) EXPECT_EQ(cudaFreeHost(memory), cudaSuccess);
    cudaGetLastError();  // of the calls that were meant to fail
  }

  static void add(cudaStream_t stream, int* out, const int* in, int value) {
    launch(add_kernel, ceil_div(kN, 128), 128, 0, Stream{{DeviceType::cuda, 0}, stream}, out, in, value);
  }
  void copy_in(cudaStream_t stream) {
    CUDA_CHECK(cudaMemcpyAsync(x_, in_, kBytes, cudaMemcpyHostToDevice, stream));
  }
  void copy_out(cudaStream_t stream, const int* from) {
    CUDA_CHECK(cudaMemcpyAsync(out_, from, kBytes, cudaMemcpyDeviceToHost, stream));
  }
  void after(cudaStream_t stream, cudaStream_t other) {
    CUDA_CHECK(cudaEventRecord(event_, other));
    CUDA_CHECK(cudaStreamWaitEvent(stream, event_, 0));
  }
  void expect_out(int offset) {
    for (int i = 0; i < kN; ++i) ASSERT_EQ(out_[i], i + offset) << i;
  }

  cudaStream_t a_ = nullptr, b_ = nullptr, blocking_ = nullptr;
  cudaEvent_t event_ = nullptr, other_event_ = nullptr;
  int *x_ = nullptr, *y_ = nullptr;     // on the device: zeros
  int *in_ = nullptr, *out_ = nullptr;  // pinned; in: 0, 1, 2, ...
};

TEST_F(Streams, AStreamKeepsItsOrder) {
  copy_in(a_);
  for (int i = 1; i <= 5; ++i) add(a_, x_, x_, i);
  copy_out(a_, x_);
  CUDA_CHECK(cudaStreamSynchronize(a_));
  expect_out(15);
}

TEST_F(Streams, AnEventOrdersTwoStreams) {
  copy_in(a_);
  add(a_, x_, x_, 1);
  after(b_, a_);
  add(b_, y_, x_, 10);
  after(a_, b_);
  add(a_, x_, y_, 100);
  copy_out(a_, x_);
  CUDA_CHECK(cudaStreamSynchronize(a_));
  expect_out(111);
}

// The event is recorded anew: the wait before that is for its first place.
TEST_F(Streams, AWaitIsForTheLastRecordBeforeIt) {
  copy_in(a_);
  after(b_, a_);
  add(b_, y_, x_, 7);
  CUDA_CHECK(cudaEventRecord(event_, a_));
  after(a_, b_);
  add(a_, x_, x_, 1000);
  copy_out(b_, y_);
  CUDA_CHECK(cudaEventRecord(event_, b_));
  CUDA_CHECK(cudaEventSynchronize(event_));
  expect_out(7);
}

TEST_F(Streams, AnEventThatIsNotRecordedIsNotWaitedFor) {
  CUDA_CHECK(cudaStreamWaitEvent(a_, event_, 0));
  EXPECT_EQ(cudaEventSynchronize(event_), cudaSuccess);
  EXPECT_EQ(cudaEventQuery(event_), cudaSuccess);
}

TEST_F(Streams, QueriesEndUpReady) {
  copy_in(a_);
  add(a_, y_, x_, 3);
  copy_out(a_, y_);
  CUDA_CHECK(cudaEventRecord(event_, a_));
  cudaError_t answer;
  while ((answer = cudaEventQuery(event_)) == cudaErrorNotReady) continue;
  EXPECT_EQ(answer, cudaSuccess);
  expect_out(3);
  while ((answer = cudaStreamQuery(a_)) == cudaErrorNotReady) continue;
  EXPECT_EQ(answer, cudaSuccess);
}

TEST_F(Streams, TheLegacyStreamAndBlockingStreamsWaitForEachOther) {
  copy_in(blocking_);
  add(nullptr, y_, x_, 1);
  add(blocking_, x_, y_, 1);
  std::vector<int> values(kN);
  CUDA_CHECK(cudaMemcpy(values.data(), x_, kBytes, cudaMemcpyDeviceToHost));
  for (int i = 0; i < kN; ++i) ASSERT_EQ(values[size_t(i)], i + 2);
}

TEST_F(Streams, AKernelKeepsTheArgumentsOfItsLaunch) {
  int value = 5;
  copy_in(a_);
  add(a_, x_, x_, value);
  value = 6;
  copy_out(a_, x_);
  CUDA_CHECK(cudaStreamSynchronize(a_));
  expect_out(5);
}

TEST_F(Streams, FreeingMemoryWaitsForItsUsers) {
  int* memory = nullptr;
  CUDA_CHECK(cudaMalloc(&memory, kBytes));
  copy_in(a_);
  add(a_, memory, x_, 1);
  add(a_, y_, memory, 1);
  copy_out(a_, y_);
  CUDA_CHECK(cudaFree(memory));
  expect_out(2);
}

TEST_F(Streams, HostFunctionsRunInTheirTurn) {
  copy_in(a_);
  copy_out(a_, x_);
  CUDA_CHECK(cudaLaunchHostFunc(
      a_, [](void* values) { static_cast<int*>(values)[0] += 40; }, out_));
  CUDA_CHECK(cudaMemcpyAsync(x_, out_, kBytes, cudaMemcpyHostToDevice, a_));
  add(a_, x_, x_, 2);
  copy_out(a_, x_);
  CUDA_CHECK(cudaStreamSynchronize(a_));
  EXPECT_EQ(out_[0], 42);
  EXPECT_EQ(out_[1], 3);
}

TEST_F(Streams, EventsTellTheTimeBetweenThem) {
  cudaEvent_t begin = nullptr, end = nullptr;
  CUDA_CHECK(cudaEventCreate(&begin));
  CUDA_CHECK(cudaEventCreate(&end));
  CUDA_CHECK(cudaEventRecord(begin, a_));
  copy_in(a_);
  CUDA_CHECK(cudaEventRecord(end, a_));
  CUDA_CHECK(cudaEventSynchronize(end));
  float ms = -1;
  EXPECT_EQ(cudaEventElapsedTime(&ms, begin, end), cudaSuccess);
  EXPECT_GE(ms, 0);
  CUDA_CHECK(cudaEventRecord(event_, a_));
  CUDA_CHECK(cudaEventSynchronize(event_));
  EXPECT_EQ(cudaEventElapsedTime(&ms, event_, end), cudaErrorInvalidResourceHandle);  // without a time
  CUDA_CHECK(cudaEventDestroy(begin));
  CUDA_CHECK(cudaEventDestroy(end));
}

// ---- captures

class Captures : public Streams {
 protected:
  void begin(cudaStream_t stream) {
    CUDA_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  }
  cudaError_t end(cudaStream_t stream) {
    cudaGraph_t graph = nullptr;
    const cudaError_t error = cudaStreamEndCapture(stream, &graph);
    EXPECT_EQ(graph == nullptr, error != cudaSuccess);
    if (graph != nullptr) CUDA_CHECK(cudaGraphDestroy(graph));
    return error;
  }
  cudaGraphExec_t ended(cudaStream_t stream) {
    cudaGraph_t graph = nullptr;
    CUDA_CHECK(cudaStreamEndCapture(stream, &graph));
    cudaGraphExec_t executable = nullptr;
    CUDA_CHECK(cudaGraphInstantiate(&executable, graph, 0));
    CUDA_CHECK(cudaGraphDestroy(graph));
    return executable;
  }
};

TEST_F(Captures, AGraphRunsAtItsLaunchesAndInTheOrderOfItsStream) {
  begin(a_);
  add(a_, x_, x_, 1);
  const cudaGraphExec_t graph = ended(a_);
  copy_in(a_);
  for (int i = 0; i < 3; ++i) CUDA_CHECK(cudaGraphLaunch(graph, a_));
  copy_out(a_, x_);
  CUDA_CHECK(cudaStreamSynchronize(a_));
  expect_out(3);
  CUDA_CHECK(cudaGraphExecDestroy(graph));
}

TEST_F(Captures, AGraphForksAndJoinsAsItsStreamsDid) {
  begin(a_);
  add(a_, x_, x_, 1);
  after(b_, a_);
  add(b_, y_, x_, 10);
  add(b_, y_, y_, 10);
  after(a_, b_);
  add(a_, x_, y_, 100);
  const cudaGraphExec_t graph = ended(a_);
  add(b_, y_, y_, 1);  // runs now: the capture is over
  CUDA_CHECK(cudaStreamSynchronize(b_));
  copy_in(a_);
  for (int i = 0; i < 3; ++i) CUDA_CHECK(cudaGraphLaunch(graph, a_));
  copy_out(a_, x_);
  CUDA_CHECK(cudaStreamSynchronize(a_));
  expect_out(3 * 121);
  CUDA_CHECK(cudaGraphExecDestroy(graph));
}

// A graph does not overtake its own last launch, on whatever stream that was.
TEST_F(Captures, LaunchesOfOneGraphComeOneAfterAnother) {
  begin(a_);
  for (int i = 0; i < 4; ++i) add(a_, x_, x_, 1);
  const cudaGraphExec_t graph = ended(a_);
  copy_in(a_);
  CUDA_CHECK(cudaStreamSynchronize(a_));
  CUDA_CHECK(cudaGraphLaunch(graph, a_));
  CUDA_CHECK(cudaGraphLaunch(graph, b_));
  copy_out(b_, x_);
  CUDA_CHECK(cudaStreamSynchronize(b_));
  expect_out(8);
  CUDA_CHECK(cudaStreamSynchronize(a_));
  CUDA_CHECK(cudaGraphExecDestroy(graph));
}

// Fails as CUDA does, and spoils the capture; afterwards the stream is as good as new.
TEST_F(Captures, RefuseWhatCannotBeRecorded) {
  std::vector<int> pageable(kN);
  int* memory = nullptr;
  cudaGraph_t graph = nullptr;
  CUDA_CHECK(cudaEventRecord(other_event_, b_));  // before the capture
  CUDA_CHECK(cudaStreamSynchronize(b_));
  const struct {
    const char* name;
    std::function<cudaError_t()> call;
    cudaError_t error;
  } calls[] = {
      {"malloc", [&] { return cudaMalloc(&memory, kBytes); }, cudaErrorStreamCaptureUnsupported},
      {"malloc host", [&] { return cudaMallocHost(&memory, kBytes); }, cudaErrorStreamCaptureUnsupported},
      {"free", [&] { return cudaFree(x_); }, cudaErrorStreamCaptureUnsupported},
      {"free host", [&] { return cudaFreeHost(in_); }, cudaErrorStreamCaptureUnsupported},
      {"synchronize", [&] { return cudaStreamSynchronize(a_); }, cudaErrorStreamCaptureUnsupported},
      {"synchronize another", [&] { return cudaStreamSynchronize(b_); }, cudaErrorStreamCaptureUnsupported},
      {"synchronize device", [&] { return cudaDeviceSynchronize(); }, cudaErrorStreamCaptureUnsupported},
      {"synchronize event", [&] { return cudaEventSynchronize(other_event_); },
       cudaErrorStreamCaptureUnsupported},
      {"query", [&] { return cudaStreamQuery(a_); }, cudaErrorStreamCaptureUnsupported},
      {"query event", [&] { return cudaEventQuery(other_event_); }, cudaErrorStreamCaptureUnsupported},
      {"query own event", [&] { return cudaEventQuery(event_); }, cudaErrorCapturedEvent},
      {"synchronize own event", [&] { return cudaEventSynchronize(event_); }, cudaErrorCapturedEvent},
      {"copy", [&] { return cudaMemcpy(x_, in_, kBytes, cudaMemcpyDefault); },
       cudaErrorStreamCaptureUnsupported},
      {"copy from pageable memory",
       [&] { return cudaMemcpyAsync(x_, pageable.data(), kBytes, cudaMemcpyHostToDevice, a_); },
       cudaErrorStreamCaptureUnsupported},
      {"copy to pageable memory",
       [&] { return cudaMemcpyAsync(pageable.data(), x_, kBytes, cudaMemcpyDeviceToHost, a_); },
       cudaErrorStreamCaptureUnsupported},
      {"wait for what is not recorded", [&] { return cudaStreamWaitEvent(a_, other_event_, 0); },
       cudaErrorStreamCaptureIsolation},
      {"destroy", [&] { return cudaStreamDestroy(a_); }, cudaErrorStreamCaptureUnsupported},
  };
  for (const auto& [name, call, error] : calls) {
    SCOPED_TRACE(name);
    begin(a_);
    add(a_, x_, x_, 1);
    CUDA_CHECK(cudaEventRecord(event_, a_));
    EXPECT_EQ(call(), error);
    EXPECT_EQ(cudaMemsetAsync(x_, 0, kBytes, a_), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(end(a_), cudaErrorStreamCaptureInvalidated);
    CUDA_CHECK(cudaMemsetAsync(x_, 0, kBytes, a_));
    CUDA_CHECK(cudaStreamSynchronize(a_));
  }
  EXPECT_EQ(cudaStreamEndCapture(a_, &graph), cudaErrorIllegalState);
}

TEST_F(Captures, TheLegacyStreamIsUnusableOnlyWhileABlockingStreamIsCaptured) {
  EXPECT_EQ(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeThreadLocal),
            cudaErrorStreamCaptureUnsupported);
  begin(a_);
  EXPECT_EQ(cudaMemsetAsync(y_, 0, kBytes, nullptr), cudaSuccess);  // not recorded
  EXPECT_EQ(end(a_), cudaSuccess);
  begin(blocking_);
  EXPECT_EQ(cudaMemsetAsync(y_, 0, kBytes, nullptr), cudaErrorStreamCaptureImplicit);
  EXPECT_EQ(end(blocking_), cudaErrorStreamCaptureInvalidated);
}

TEST_F(Captures, AreEndedWhereTheyBeganAndJoined) {
  const auto fork = [&] {
    begin(a_);
    add(a_, x_, x_, 1);
    after(b_, a_);
    add(b_, y_, x_, 1);
  };
  fork();
  EXPECT_EQ(end(a_), cudaErrorStreamCaptureUnjoined);
  fork();
  EXPECT_EQ(end(b_), cudaErrorStreamCaptureUnmatched);
  EXPECT_EQ(end(a_), cudaErrorStreamCaptureInvalidated);
  fork();
  after(a_, b_);
  EXPECT_EQ(end(a_), cudaSuccess);
}

TEST_F(Captures, DoNotMerge) {
  begin(a_);
  begin(b_);
  CUDA_CHECK(cudaEventRecord(event_, a_));
  EXPECT_EQ(cudaStreamWaitEvent(b_, event_, 0), cudaErrorStreamCaptureMerge);
  EXPECT_EQ(end(a_), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(end(b_), cudaErrorStreamCaptureInvalidated);
}

}  // namespace
}  // namespace gpt2::cuda
