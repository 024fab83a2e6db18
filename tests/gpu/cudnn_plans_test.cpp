// cuDNN's plans for our attention, compiled without a GPU: since 9.8 a description of a device is enough. Runs with
// no_driver.cpp as libcuda.so.1.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "common/kernels/cuda/cudnn_attention.cpp"  // Plan is its own

// What cudnn-frontend asks the CUDA runtime, answered for the device that a test describes. The linker puts these
// functions in the place of the runtime's (--wrap).
static cudaDeviceProp described_device;

extern "C" cudaError_t __wrap_cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
extern "C" cudaError_t __wrap_cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = described_device;
  return cudaSuccess;
}

namespace gpt2::cuda {
namespace {

struct Gpu {
  const char* name;
  int version, multiprocessors, shared_bytes, threads;  // compute capability * 100; per multiprocessor
  int sums = 2;                                         // of dq, in float, in the workspace
};

constexpr Gpu kH200{"NVIDIA H200", 900, 132, 232448, 2048, 1};

std::shared_ptr<fe::DeviceProperties> described(const Gpu& gpu) {
  const std::string json = fmt::format(
      R"({{"maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64],"regsPerBlock":65536,)"
      R"("multiProcessorCount":{},"warpSize":32,"maxSharedMemoryPerBlock":49152,"maxSharedMemoryPerBlockOptin":{},)"
      R"("reservedSharedMemoryPerBlock":1024,"maxRegistersPerSM":65536,"maxCtasPerSM":32,"maxThreadsPerBlock":1024,)"
      R"("maxThreadsPerSM":{},"pciDeviceId":0,"isTccDriver":0,"supportCoopLaunch":1,"totalGlobalMem":24000000000,)"
      R"("smClockRateKHz":1800000,"memClockRateKHz":3000000,"l2CacheSize":50331648,"cudaDeviceId":0,"deviceVer":{},)"
      R"("driverVer":13000,"deviceName":"{}"}})",
      gpu.multiprocessors, gpu.shared_bytes, gpu.threads, gpu.version, gpu.name);
  described_device = {};
  described_device.major = gpu.version / 100;
  described_device.minor = gpu.version / 10 % 10;
  described_device.multiProcessorCount = gpu.multiprocessors;
  described_device.sharedMemPerBlockOptin = size_t(gpu.shared_bytes);
  described_device.sharedMemPerMultiprocessor = size_t(gpu.shared_bytes) + 1024;
  described_device.maxThreadsPerMultiProcessor = gpu.threads;
  described_device.regsPerBlock = described_device.regsPerMultiprocessor = 65536;
  described_device.warpSize = 32;
  described_device.l2CacheSize = 48 << 20;
  auto properties = std::make_shared<fe::DeviceProperties>();
  EXPECT_TRUE(properties->deserialize({json.begin(), json.end()}).is_good());
  return properties;
}

struct Model {
  const char* name;
  int64_t heads, hs;
};

// The call of a forward pass, or of a backward pass, as attention over packed (B, T, 3C) buffers makes it.
Call call_of(int64_t B, int64_t T, const Model& model, bool backward) {
  const AttentionShape shape{B, model.heads, T, model.hs, 0.125f};
  const int64_t C = shape.heads * shape.hs;
  const HeadsView<bf16> packed{nullptr, T * 3 * C, shape.hs, 3 * C}, plain{nullptr, T * C, shape.hs, C};
  Call call{shape, {}, {}};
  for (const Id id : {kQ, kK, kV}) call.add(id, packed);
  call.add(kY, plain);
  if (backward) {
    for (const Id id : {kDq, kDk, kDv}) call.add(id, packed);
    call.add(kDy, plain);
  }
  return call;
}

// The sums of dq, and two floats for each row.
int64_t sums_bytes(const Gpu& gpu, int64_t B, int64_t T, const Model& model) {
  return B * model.heads * T * (gpu.sums * model.hs + 2) * int64_t{sizeof(float)};
}

class CudnnPlans : public testing::TestWithParam<Gpu> {};

// The presets' models: 64 channels a head, and shakespeare-char's.
TEST_P(CudnnPlans, SupportForwardAndBackwardWithoutTimesT) {
  constexpr struct {
    Model model;
    int64_t B, T;
  } kCases[] = {{{"gpt2", 12, 64}, 16, 1024}, {{"baby", 6, 64}, 64, 256}};
  for (const auto& [model, B, T] : kCases) {
    SCOPED_TRACE(fmt::format("{}, {}, B = {}, T = {}", GetParam().name, model.name, B, T));
    const Plan forward(described(GetParam()), call_of(B, T, model, false));
    EXPECT_EQ(forward.refusal(), "");
    EXPECT_LE(forward.workspace_bytes(), 1024);
    const Plan backward(described(GetParam()), call_of(B, T, model, true));
    EXPECT_EQ(backward.refusal(), "");
    EXPECT_LE(backward.workspace_bytes(), sums_bytes(GetParam(), B, T, model) * 11 / 10);
  }
}

INSTANTIATE_TEST_SUITE_P(On, CudnnPlans,
                         testing::Values(Gpu{"NVIDIA A100", 800, 108, 166912, 2048},
                                         Gpu{"NVIDIA GeForce RTX 3090", 860, 82, 101376, 1536},
                                         Gpu{"NVIDIA GeForce RTX 4090", 890, 128, 101376, 1536}, kH200,
                                         Gpu{"NVIDIA B200", 1000, 148, 232448, 2048, 1},
                                         Gpu{"NVIDIA GeForce RTX 5090", 1200, 170, 101376, 1536}),
                         [](const auto& gpu) { return "sm_" + std::to_string(gpu.param.version / 10); });

TEST(CudnnPlans, LargestWorkspaceOfTheBackwardPassIsTwoHundredMegabytes) {
  const Plan plan(described(kH200), call_of(64, 1024, {"gpt2", 12, 64}, true));
  EXPECT_EQ(plan.refusal(), "");
  EXPECT_LE(plan.workspace_bytes(),
            int64_t{205} * 1000 * 1000);  // 1,613.8 MB with the deterministic algorithm
}

}  // namespace
}  // namespace gpt2::cuda
