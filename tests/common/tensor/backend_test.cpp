#include <algorithm>
#include <vector>

#include "common/app/resolve.h"
#include "tests/common/testing.h"

namespace gpt2::testing {
namespace {

class BackendTest : public OnEveryDevice {};

// Sizes around the pinned buffers through which a GPU gets its data, and more than all of them together.
TEST_P(BackendTest, HostMemoryMayBeReusedOnceCopyHasReturned) {
  constexpr size_t kBuffer = size_t{1} << 20;
  Backend& processor = backend(device());
  const Stream stream = context().stream(device());
  for (const size_t bytes : {size_t{0}, size_t{1}, kBuffer - 1, kBuffer, kBuffer + 1, 20 * kBuffer + 3}) {
    std::vector<unsigned char> sent(bytes);
    for (size_t i = 0; i < bytes; ++i) sent[i] = static_cast<unsigned char>(i % 251);
    const Storage there(device(), bytes), elsewhere(device(), bytes);
    std::vector<unsigned char> reused = sent, received(bytes, 0xee);
    processor.copy(there.data(), reused.data(), bytes, stream);
    std::fill(reused.begin(), reused.end(), static_cast<unsigned char>(0xdd));
    processor.copy(elsewhere.data(), there.data(), bytes, stream);
    processor.fill_zero(there.data(), bytes, stream);
    processor.copy(received.data(), elsewhere.data(), bytes, stream);
    processor.synchronize(stream);
    EXPECT_TRUE(received == sent) << bytes << " bytes";
    processor.copy(received.data(), there.data(), bytes, stream);
    processor.synchronize(stream);
    EXPECT_EQ(std::count(received.begin(), received.end(), 0), std::ptrdiff_t(bytes));
  }
}

TEST_P(BackendTest, SaysWhatItIs) {
  EXPECT_FALSE(backend(device()).name().empty());
  EXPECT_GT(backend(device()).available_memory_bytes(), size_t{1} << 20);
}

INSTANTIATE_ON_EVERY_DEVICE(BackendTest);

// The free GPUs of Colab and Kaggle are T4s.
TEST(CudaDevices, AGpuWithoutBf16ComputesInFloat32AndSaysSo) {
  if (cuda_device_count() == 0 || backend({DeviceType::cuda, 0}).name().find("executor") == std::string::npos)
    GTEST_SKIP() << "a real GPU";
  const Device gpu{DeviceType::cuda, 0};
  setenv("EXECUTOR_CAPABILITY", "75", 1);
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(app::autocast_dtype(DType::bf16, gpu), DType::f32);
  EXPECT_NE(::testing::internal::GetCapturedStdout().find("has no bf16 arithmetic; --dtype fp32 is used"),
            std::string::npos);
  EXPECT_EQ(app::autocast_dtype(DType::f32, gpu), DType::f32);
  setenv("EXECUTOR_CAPABILITY", "80", 1);
  EXPECT_EQ(app::autocast_dtype(DType::bf16, gpu), DType::bf16);
  unsetenv("EXECUTOR_CAPABILITY");
}

// What the driver reports, and what becomes of it.
struct DriverCase {
  const char *error, *driver;
  std::string message;  // empty: there is no GPU, and that is no error
};

TEST(CudaDevices, OnlyAMissingGpuOrDriverMeansNone) {
  if (cuda_device_count() == 0 || backend({DeviceType::cuda, 0}).name().find("executor") == std::string::npos)
    GTEST_SKIP() << "a real driver";
  const std::string remedy = "use --device cpu";
  for (const DriverCase& c : std::vector<DriverCase>{
           {"100", "13000", ""},  // cudaErrorNoDevice
           {"35", "0", ""},       // no driver is installed
           {"35", "12040",
            "the NVIDIA driver is for CUDA 12.4, this program for CUDA 13.0: update the driver, or "
            "build with CUDA 12.4, or " +
                remedy},
           {"802", "13000",
            "the GPUs cannot be used: system not yet initialized; see what nvidia-smi says, or " + remedy}}) {
    setenv("EXECUTOR_DRIVER_ERROR", c.error, 1);
    setenv("EXECUTOR_DRIVER", c.driver, 1);
    if (c.message.empty()) {
      EXPECT_EQ(cuda_device_count(), 0) << c.error;
      EXPECT_EQ(parse_device("auto"), kCpu) << c.error;
    } else {
      EXPECT_ERROR(cuda_device_count(), c.message);
      EXPECT_ERROR(parse_device("auto"), c.message);
      EXPECT_EQ(parse_device("cpu"), kCpu);
    }
  }
  unsetenv("EXECUTOR_DRIVER_ERROR");
  unsetenv("EXECUTOR_DRIVER");
  EXPECT_GE(cuda_device_count(), 1);
}

}  // namespace
}  // namespace gpt2::testing
