// What CUDA promises to a kernel holds in the executor, and gpu.cuh's helpers keep their word. Nothing here
// knows the executor: nvcc compiles the file too, and on a GPU the tests hold the promises to the hardware.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "common/kernels/cuda/gpu.cuh"

namespace gpt2::cuda {
namespace {

class Gpu : public testing::Test {
  void SetUp() override {
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) GTEST_SKIP() << "no GPU on this machine";
  }
};

const Stream kStream{{DeviceType::cuda, 0}, nullptr};

// A vector in device memory.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values) : OnDevice(values.size()) {
    CUDA_CHECK(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  explicit OnDevice(size_t size) : size_(size) { CUDA_CHECK(cudaMalloc(&data_, size * sizeof(T))); }
  ~OnDevice() { cudaFree(data_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  T* data() { return data_; }
  std::vector<T> to_host() const {
    std::vector<T> values(size_);
    CUDA_CHECK(cudaMemcpy(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  size_t size_;
  T* data_ = nullptr;
};

template <class Function>
std::string error_of(Function function) {
  try {
    function();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

// ---- shuffles and votes

enum Shuffle { indexed, up, down, butterfly };

template <class T>
__global__ void shuffle_kernel(T* out, Shuffle kind, int offset, int width) {
  const T value = T(100 + threadIdx.x);
  T* slot = out + threadIdx.x;
  if (kind == indexed) *slot = __shfl_sync(kAllLanes, value, offset, width);
  if (kind == up) *slot = __shfl_up_sync(kAllLanes, value, unsigned(offset), width);
  if (kind == down) *slot = __shfl_down_sync(kAllLanes, value, unsigned(offset), width);
  if (kind == butterfly) *slot = __shfl_xor_sync(kAllLanes, value, offset, width);
}

// The lane that `lane` reads: the definition of shfl.sync in the PTX ISA, section 9.7.9.6.
int source_lane(Shuffle kind, int lane, int offset, int width) {
  const int segment_mask = 32 - width, clamp = kind == up ? 0 : 31;
  const int last = (lane & segment_mask) | (clamp & ~segment_mask);
  const int first = lane & segment_mask;
  int source = 0;
  switch (kind) {
    case up:
      source = lane - offset;
      return source >= last ? source : lane;
    case down:
      source = lane + offset;
      break;
    case butterfly:
      source = lane ^ offset;
      break;
    case indexed:
      source = first | (offset & ~segment_mask);
      break;
  }
  return source <= last ? source : lane;
}

template <class T>
void check_shuffles() {
  OnDevice<T> out(64);
  for (const Shuffle kind : {indexed, up, down, butterfly}) {
    for (const int width : {1, 2, 4, 8, 16, 32}) {
      for (int offset = 0; offset < 32; ++offset) {
        launch(shuffle_kernel<T>, 1, 64, 0, kStream, out.data(), kind, offset, width);
        const std::vector<T> values = out.to_host();
        for (int i = 0; i < 64; ++i) {
          const int expected = 100 + i / 32 * 32 + source_lane(kind, i % 32, offset, width);
          ASSERT_EQ(values[i], T(expected)) << "kind " << kind << " width " << width << " offset " << offset;
        }
      }
    }
  }
}

TEST_F(Gpu, ShufflesReadTheLaneThatPtxDefines) {
  check_shuffles<float>();
  check_shuffles<int64_t>();
}

__global__ void vote_kernel(unsigned* ballots, int* any, int* all) {
  const unsigned half = threadIdx.x % 32 < 16 ? 0x0000ffffu : 0xffff0000u;  // the halves vote on their own
  const bool vote = threadIdx.x % 3 == 0 || threadIdx.x >= 48;
  ballots[threadIdx.x] = __ballot_sync(half, vote);
  any[threadIdx.x] = __any_sync(half, threadIdx.x == 5);
  all[threadIdx.x] = __all_sync(half, vote);
}

TEST_F(Gpu, VotesCountTheLanesOfTheirMask) {
  OnDevice<unsigned> ballots(64);
  OnDevice<int> any(64), all(64);
  launch(vote_kernel, 1, 64, 0, kStream, ballots.data(), any.data(), all.data());
  for (int i = 0; i < 64; ++i) {
    unsigned expected = 0;
    for (int other = i / 16 * 16; other < i / 16 * 16 + 16; ++other) {
      if (other % 3 == 0 || other >= 48) expected |= 1u << other % 32;
    }
    EXPECT_EQ(ballots.to_host()[i], expected) << i;
    EXPECT_EQ(any.to_host()[i] != 0, i < 16) << i;
    EXPECT_EQ(all.to_host()[i] != 0, i >= 48) << i;
  }
}

// ---- blocks and grids

__global__ void barrier_votes_kernel(int* count, int* any, int* all, int limit) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  count[i] = __syncthreads_count(threadIdx.x % 3 == 0);
  any[i] = __syncthreads_or(i == limit);
  all[i] = __syncthreads_and(i >= limit);
}

TEST_F(Gpu, BarriersCountTheVotesOfTheirBlock) {
  OnDevice<int> count(200), any(200), all(200);  // 100 threads: the last warp has 4
  launch(barrier_votes_kernel, 2, 100, 0, kStream, count.data(), any.data(), all.data(), 50);
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(count.to_host()[i], 34);
    EXPECT_EQ(any.to_host()[i] != 0, i < 100);
    EXPECT_EQ(all.to_host()[i] != 0, i >= 100);
  }
}

__global__ void reverse_kernel(float* out, const float* in) {
  GPU_DYNAMIC_SHARED(float, values);
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  values[threadIdx.x] = in[i];
  __syncthreads();
  out[i] = values[blockDim.x - 1 - threadIdx.x];
}

TEST_F(Gpu, ThreadsExchangeValuesThroughDynamicSharedMemory) {
  std::vector<float> in(5 * 96);
  for (size_t i = 0; i < in.size(); ++i) in[i] = float(i);
  OnDevice<float> from(in), to(in.size());
  for (const size_t shared_bytes : {96 * sizeof(float), size_t{90} << 10}) {
    launch(reverse_kernel, 5, 96, shared_bytes, kStream, to.data(), from.data());
    const std::vector<float> out = to.to_host();
    for (size_t i = 0; i < in.size(); ++i) EXPECT_EQ(out[i], in[i / 96 * 96 + 95 - i % 96]);
  }
}

__global__ void transpose_kernel(float* out, const float* in, int rows, int cols) {
  __shared__ float tile[8][8 + 1];
  const int row = blockIdx.y * 8 + threadIdx.y, col = blockIdx.x * 8 + threadIdx.x;
  if (row < rows && col < cols) tile[threadIdx.y][threadIdx.x] = in[row * cols + col];
  __syncthreads();
  const int out_row = blockIdx.x * 8 + threadIdx.y, out_col = blockIdx.y * 8 + threadIdx.x;
  if (out_row < cols && out_col < rows) out[out_row * rows + out_col] = tile[threadIdx.x][threadIdx.y];
}

TEST_F(Gpu, ThreadsExchangeValuesThroughStaticSharedMemory) {
  const int rows = 29, cols = 18;
  std::vector<float> in(rows * cols);
  for (size_t i = 0; i < in.size(); ++i) in[i] = float(i);
  OnDevice<float> from(in), to(in.size());
  launch(transpose_kernel, {ceil_div(cols, 8), ceil_div(rows, 8)}, {8, 8}, 0, kStream, to.data(), from.data(),
         rows, cols);
  const std::vector<float> out = to.to_host();
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) EXPECT_EQ(out[c * rows + r], in[r * cols + c]);
  }
}

__global__ void index_kernel(int64_t* out) {
  const int64_t block = (int64_t{blockIdx.z} * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const int64_t thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] =
      ((((blockIdx.z * 10 + blockIdx.y) * 10 + blockIdx.x) * 10 + threadIdx.z) * 10 + threadIdx.y) * 10 +
      threadIdx.x;
}

TEST_F(Gpu, EveryThreadOfAThreeDimensionalGridRunsOnceWithItsOwnIndex) {
  OnDevice<int64_t> out(2 * 3 * 4 * 5 * 6 * 7);
  launch(index_kernel, {4, 3, 2}, {7, 6, 5}, 0, kStream, out.data());
  const std::vector<int64_t> indices = out.to_host();
  size_t i = 0;
  for (int bz = 0; bz < 2; ++bz)
    for (int by = 0; by < 3; ++by)
      for (int bx = 0; bx < 4; ++bx)
        for (int tz = 0; tz < 5; ++tz)
          for (int ty = 0; ty < 6; ++ty)
            for (int tx = 0; tx < 7; ++tx) {
              EXPECT_EQ(indices[i++], ((((bz * 10 + by) * 10 + bx) * 10 + tz) * 10 + ty) * 10 + tx);
            }
}

__global__ void count_kernel(unsigned* count, int* largest, int64_t n) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= n) return;  // no barrier follows
  atomicAdd(count, 1u);
  atomicMax(largest, int(i * 7 % 1000));
}

TEST_F(Gpu, ThreadsBeyondTheEndReturnEarly) {
  OnDevice<unsigned> count(std::vector<unsigned>{0});
  OnDevice<int> largest(std::vector<int>{-1});
  launch(count_kernel, ceil_div(1000, 128), 128, 0, kStream, count.data(), largest.data(), 1000);
  EXPECT_EQ(count.to_host()[0], 1000u);
  EXPECT_EQ(largest.to_host()[0], 999);
}

// ---- bfloat16

__global__ void round_kernel(uint16_t* bits, float* back, const float* values, int64_t n) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const __nv_bfloat16 rounded = __float2bfloat16(values[i]);
  memcpy(&bits[i], &rounded, sizeof rounded);
  back[i] = float(rounded);
}

float float_of_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// The nearer of the two bfloat16 around a finite value, in double; of equally near ones the even one.
uint16_t nearest_bfloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const auto below = uint16_t(bits >> 16), above = uint16_t(below + 1);  // towards zero, and away from it
  const bool overflows = (above & 0x7f80) == 0x7f80;                     // then `above` stands for 2^128
  const double high = overflows ? std::copysign(std::ldexp(1.0, 128), value) : float_of_bits(above << 16);
  const double to_below = std::fabs(value - double(float_of_bits(uint32_t{below} << 16)));
  const double to_above = std::fabs(high - value);
  if (to_below != to_above) return to_below < to_above ? below : above;
  return below % 2 == 0 ? below : above;
}

TEST_F(Gpu, Bfloat16RoundsToNearestEven) {
  std::vector<float> values;
  for (uint32_t upper = 0; upper < 0x10000; upper += 3) {  // all exponents and signs, subnormals among them
    for (const uint32_t lower : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      const float value = float_of_bits(upper << 16 | lower);
      if (std::isfinite(value)) values.push_back(value);
    }
  }
  const auto n = int64_t(values.size());
  OnDevice<float> from(values), back(values.size());
  OnDevice<uint16_t> bits(values.size());
  launch(round_kernel, ceil_div(n, 256), 256, 0, kStream, bits.data(), back.data(), from.data(), n);
  const std::vector<uint16_t> rounded = bits.to_host();
  const std::vector<float> widened = back.to_host();
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(rounded[i], nearest_bfloat16(values[i])) << values[i];
    ASSERT_EQ(widened[i], float_of_bits(uint32_t{rounded[i]} << 16)) << values[i];
  }
}

TEST_F(Gpu, Bfloat16KeepsInfinitiesAndNaN) {
  const float infinity = float_of_bits(0x7f800000);
  OnDevice<float> from({infinity, -infinity, float_of_bits(0x7f800001), float_of_bits(0xffffffff)}), back(4);
  OnDevice<uint16_t> bits(4);
  launch(round_kernel, 1, 32, 0, kStream, bits.data(), back.data(), from.data(), 4);
  EXPECT_EQ(back.to_host()[0], infinity);
  EXPECT_EQ(back.to_host()[1], -infinity);
  EXPECT_TRUE(std::isnan(back.to_host()[2]));
  EXPECT_TRUE(std::isnan(back.to_host()[3]));
}

// ---- helpers of gpu.cuh

__global__ void warp_reduce_kernel(float* sums, float* maxima, const float* values) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  sums[i] = warp_sum(values[i]);
  maxima[i] = warp_max(values[i]);
}

TEST_F(Gpu, EveryLaneHasTheSumAndTheMaximumOfItsWarp) {
  std::vector<float> values(3 * 64);
  for (size_t i = 0; i < values.size(); ++i) values[i] = float(int(i * 37 % 101)) - 90.0f;  // sums are exact
  OnDevice<float> from(values), sums(values.size()), maxima(values.size());
  launch(warp_reduce_kernel, 3, 64, 0, kStream, sums.data(), maxima.data(), from.data());
  for (size_t i = 0; i < values.size(); ++i) {
    float sum = 0, maximum = values[i];
    for (size_t lane = i / 32 * 32; lane < i / 32 * 32 + 32; ++lane) {
      sum += values[lane];
      maximum = std::max(maximum, values[lane]);
    }
    EXPECT_EQ(sums.to_host()[i], sum);
    EXPECT_EQ(maxima.to_host()[i], maximum);
  }
}

// Each row's sum and maximum, from every thread. No barrier between the two: the helpers bring their own.
__global__ void row_reduce_kernel(float* sums, float* maxima, const float* values, int64_t cols) {
  const float* row = values + blockIdx.x * cols;
  float sum = 0, maximum = -INFINITY;
  for (int64_t i = threadIdx.x; i < cols; i += blockDim.x) {
    sum += row[i];
    maximum = fmaxf(maximum, row[i]);
  }
  sums[blockIdx.x * blockDim.x + threadIdx.x] = block_sum(sum);
  maxima[blockIdx.x * blockDim.x + threadIdx.x] = block_max(maximum);
}

TEST_F(Gpu, EveryThreadHasTheSumAndTheMaximumOfARaggedRow) {
  const int64_t rows = 3;
  for (const int64_t threads : {32, 96, 256, 1024}) {
    for (const int64_t cols : {1, 31, 33, 768, 1025}) {
      std::vector<float> values(rows * cols);
      for (size_t i = 0; i < values.size(); ++i) values[i] = float(int(i * 37 % 101)) - 90.0f;
      OnDevice<float> from(values), sums(rows * threads), maxima(rows * threads);
      launch(row_reduce_kernel, rows, threads, 0, kStream, sums.data(), maxima.data(), from.data(), cols);
      const std::vector<float> sum = sums.to_host(), maximum = maxima.to_host();
      for (int64_t row = 0; row < rows; ++row) {
        double expected_sum = 0, expected_maximum = -1e30;
        for (int64_t c = 0; c < cols; ++c) {
          expected_sum += values[row * cols + c];
          expected_maximum = std::max(expected_maximum, double(values[row * cols + c]));
        }
        for (int64_t thread = 0; thread < threads; ++thread) {
          ASSERT_EQ(sum[row * threads + thread], expected_sum)
              << threads << " threads, " << cols << " columns";
          ASSERT_EQ(maximum[row * threads + thread], expected_maximum);
        }
      }
    }
  }
}

__global__ void sum_of_inexact_kernel(float* sums, const float* values) {
  sums[threadIdx.x] = block_sum(values[threadIdx.x]);
}

TEST_F(Gpu, BlockSumHasTheSameBitsInEveryThread) {
  std::vector<float> values(1024);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(float(i)) * std::exp2(float(i % 20));
  OnDevice<float> from(values), sums(values.size());
  launch(sum_of_inexact_kernel, 1, 1024, 0, kStream, sums.data(), from.data());
  for (const float sum : sums.to_host()) EXPECT_EQ(sum, sums.to_host()[0]);
}

TEST_F(Gpu, ANaNReachesTheBlockSum) {
  std::vector<float> values(96, 1.0f);
  values[70] = NAN;
  OnDevice<float> from(values), sums(values.size());
  launch(sum_of_inexact_kernel, 1, 96, 0, kStream, sums.data(), from.data());
  for (const float sum : sums.to_host()) EXPECT_TRUE(std::isnan(sum));
}

template <class T>
__global__ void negate_kernel(T* out, const T* in, int64_t n) {
  const int64_t i = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * Packed<T>::size;
  if (i >= n) return;
  Packed<T> packed = load_packed(in + i);
  for (int k = 0; k < Packed<T>::size; ++k) packed[k] = T(-float(packed[k]));
  store_packed(out + i, packed);
}

template <class T>
void check_packed() {
  std::vector<T> values(1000 * Packed<T>::size);
  for (size_t i = 0; i < values.size(); ++i) values[i] = T(float(i % 251) - 99.0f);  // exact in bfloat16
  OnDevice<T> from(values), to(values.size());
  launch(negate_kernel<T>, ceil_div(1000, 128), 128, 0, kStream, to.data(), from.data(),
         int64_t(values.size()));
  const std::vector<T> out = to.to_host();
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(float(out[i]), -float(values[i]));
}

TEST_F(Gpu, PackedMovesSixteenBytesOfFloatOrBfloat16) {
  static_assert(Packed<float>::size == 4 && Packed<__nv_bfloat16>::size == 8);
  check_packed<float>();
  check_packed<__nv_bfloat16>();
}

static_assert(ceil_div(0, 256) == 0 && ceil_div(1, 256) == 1 && ceil_div(256, 256) == 1);
static_assert(ceil_div(int64_t{64} * 1024 * 50304 + 1, 256) == int64_t{64} * 1024 * 50304 / 256 + 1);

// ---- errors

TEST_F(Gpu, LaunchFailsWithTheLineAndTheSizes) {
  const int line = __LINE__ + 1;
  const std::string error = error_of([] { launch(reverse_kernel, 5, 2048, 0, kStream, nullptr, nullptr); });
  EXPECT_EQ(error, __FILE__ ":" + std::to_string(line) +
                       ": launch of 5 x 1 x 1 blocks of 2048 x 1 x 1 threads with 0 bytes of shared memory: "
                       "invalid configuration argument");
}

TEST_F(Gpu, LaunchFailsWhereDim3WouldCutTheGridOff) {
  const int64_t wraps_to_one = (int64_t{1} << 32) + 1;
  const std::string error =
      error_of([&] { launch(reverse_kernel, wraps_to_one, 32, 128, kStream, nullptr, nullptr); });
  EXPECT_NE(error.find("launch of 4294967297 x 1 x 1 blocks"), std::string::npos) << error;
}

TEST_F(Gpu, LaunchFailsOnAnEmptyGridAndOnTooMuchSharedMemory) {
  const auto launched = [](int64_t blocks, size_t shared_bytes) {
    return error_of([&] { launch(reverse_kernel, blocks, 32, shared_bytes, kStream, nullptr, nullptr); });
  };
  EXPECT_NE(launched(0, 128), "");
  EXPECT_NE(launched(1, 300 << 10), "");
}

TEST_F(Gpu, AFailedLaunchIsReportedOnce) {
  EXPECT_NE(error_of([] { launch(reverse_kernel, 0, 32, 0, kStream, nullptr, nullptr); }), "");
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(Gpu, CudaCheckFailsWithTheLineAndTheCall) {
  const int line = __LINE__ + 1;
  const std::string error = error_of([] { CUDA_CHECK(cudaSetDevice(1000)); });
  EXPECT_EQ(error, __FILE__ ":" + std::to_string(line) + ": cudaSetDevice(1000): invalid device ordinal");
}

TEST_F(Gpu, RefusesACopyInTheWrongDirectionAndAForeignPointer) {
  OnDevice<float> device(4);
  float host[4] = {};
  EXPECT_NE(error_of([&] { CUDA_CHECK(cudaMemcpy(host, device.data(), 16, cudaMemcpyHostToDevice)); }), "");
  EXPECT_NE(error_of([&] { CUDA_CHECK(cudaFree(host)); }), "");
}

}  // namespace
}  // namespace gpt2::cuda
