#include "common/tensor/cuda_graph.h"

#include <functional>

#include "common/ops/ops.h"
#include "common/tensor/memory.h"
#include "tests/common/files.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

class CudaGraphs : public OnEveryDevice {
 protected:
  void SetUp() override {
    OnEveryDevice::SetUp();
    if (!IsSkipped() && !device().is_cuda()) GTEST_SKIP() << "a CPU has no graphs";
  }
  Tensor ones() const { return from_vector(std::vector<float>(5, 1), {5}, device()); }
};

TEST_P(CudaGraphs, AReplayRepeatsWhatWasRecordedAndNothingElse) {
  const Tensor x = ones(), sum = zeros({5}, device());
  int recorded = 0;
  const CudaGraph graph(device(), [&] {
    ++recorded;
    copy_(sum, sum + x);
  });
  EXPECT_EQ(sum.to_vector<float>(), std::vector<float>(5, 0));
  for (int i = 0; i < 3; ++i) graph.replay();
  copy_(x, x + x);
  graph.replay();
  EXPECT_EQ(sum.to_vector<float>(), std::vector<float>(5, 5));
  EXPECT_EQ(recorded, 1);
}

// Each of these waits for the GPU or is not on its stream. The recording fails with CUDA's words, and the stream
// works on as before.
TEST_P(CudaGraphs, ARecordingRefusesWhatAReplayCannotRepeat) {
  const Tensor x = ones(), sum = zeros({5}, device());
  const size_t more_than_is_free = heap(device()).bytes_reserved() + (size_t{64} << 20);
  const std::pair<const char*, std::function<void()>> works[] = {
      {"cuda", [&] { static_cast<void>((sum + x).to_vector<float>()); }},
      {"cudaMalloc", [&] { const Storage storage(device(), more_than_is_free); }},
      {"cuda", [&] { static_cast<void>(ones()); }},
  };
  for (const auto& [call, work] : works) {
    EXPECT_ERROR(CudaGraph(device(), work), "operation not permitted when stream is capturing");
    EXPECT_ERROR(CudaGraph(device(), work), call);
    copy_(sum, sum + x);
  }
  const CudaGraph graph(device(), [&] { copy_(sum, sum + x); });
  graph.replay();
  EXPECT_EQ(sum.to_vector<float>(), std::vector<float>(5, 4));
}

INSTANTIATE_ON_EVERY_DEVICE(CudaGraphs);

}  // namespace
}  // namespace gpt2::testing
