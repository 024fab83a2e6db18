// The wrappers of mma.cuh move values where the PTX manual says: a test writes each fragment's layout as the
// manual gives it, index by index, and compares with plain matrices. nvcc compiles the file too.
#include "common/kernels/cuda/mma.cuh"

#include <gtest/gtest.h>

#include <vector>

namespace gpt2::cuda {
namespace {

class Mma : public testing::Test {
 protected:
  void SetUp() override {
    int count = 0;
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) GTEST_SKIP() << "no GPU on this machine";
    CUDA_CHECK(cudaMalloc(&in_, kBytes));
    CUDA_CHECK(cudaMalloc(&out_, kBytes));
  }
  void TearDown() override {
    cudaFree(in_);
    cudaFree(out_);
  }

  template <class To, class From, class... Parameters, class... Arguments>
  std::vector<To> run(void (*kernel)(To*, const From*, Parameters...), size_t count,
                      const std::vector<From>& in, Arguments... arguments) {
    CUDA_CHECK(cudaMemcpy(in_, in.data(), in.size() * sizeof(From), cudaMemcpyHostToDevice));
    launch(kernel, 1, 64, 0, {{DeviceType::cuda, 0}, nullptr}, static_cast<To*>(out_),
           static_cast<const From*>(in_), arguments...);
    std::vector<To> out(count);
    CUDA_CHECK(cudaMemcpy(out.data(), out_, count * sizeof(To), cudaMemcpyDeviceToHost));
    return out;
  }

 private:
  static constexpr size_t kBytes = 64 << 10;
  void *in_ = nullptr, *out_ = nullptr;
};

constexpr int M = 16, N = 8, K = 16;

// PTX ISA, "Matrix fragments for mma.m16n8k16 with floating point type": element i of a lane's fragment.
struct Place {
  int row, col;
};
__host__ __device__ Place place_in_a(int lane, int i) {
  const int group = lane >> 2, thread_in_group = lane % 4;
  return {(0 <= i && i < 2) || (4 <= i && i < 6) ? group : group + 8,
          i < 4 ? thread_in_group * 2 + (i & 1) : thread_in_group * 2 + (i & 1) + 8};
}
__host__ __device__ Place place_in_b(int lane, int i) {
  const int group = lane >> 2, thread_in_group = lane % 4;
  return {i < 2 ? thread_in_group * 2 + (i & 1) : thread_in_group * 2 + (i & 1) + 8, group};
}
__host__ __device__ Place place_in_c(int lane, int i) {
  const int group = lane >> 2, thread_in_group = lane % 4;
  return {i < 2 ? group : group + 8, thread_in_group * 2 + (i & 1)};
}

__device__ uint32_t pair(float first, float second) {
  return bf16(first).bits | uint32_t{bf16(second).bits} << 16;
}

// in: A (M, K), B (K, N), C (M, N); a second warp has them negated. out: A B + C of each warp.
__global__ void product_kernel(float* out, const float* in) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const float sign = warp == 0 ? 1.0f : -1.0f;
  const float *a = in, *b = a + M * K, *c = b + K * N;
  float a_values[8], b_values[4], d[4];
  for (int i = 0; i < 8; ++i) a_values[i] = sign * a[place_in_a(lane, i).row * K + place_in_a(lane, i).col];
  for (int i = 0; i < 4; ++i) b_values[i] = b[place_in_b(lane, i).row * N + place_in_b(lane, i).col];
  for (int i = 0; i < 4; ++i) d[i] = sign * c[place_in_c(lane, i).row * N + place_in_c(lane, i).col];
  uint32_t a_pairs[4];
  for (int i = 0; i < 4; ++i) a_pairs[i] = pair(a_values[2 * i], a_values[2 * i + 1]);
  mma_16x8x16(d, a_pairs, pair(b_values[0], b_values[1]), pair(b_values[2], b_values[3]));
  for (int i = 0; i < 4; ++i) {
    out[warp * M * N + place_in_c(lane, i).row * N + place_in_c(lane, i).col] = d[i];
  }
}

TEST_F(Mma, MultipliesAndAdds) {
  std::vector<float> in;
  for (int i = 0; i < M * K + K * N + M * N; ++i) in.push_back(float(i * 37 % 101) - 50);  // exact in bf16
  const std::vector<float> out = run(product_kernel, 2 * M * N, in);
  for (int m = 0; m < M; ++m) {
    for (int n = 0; n < N; ++n) {
      float expected = in[M * K + K * N + m * N + n];
      for (int k = 0; k < K; ++k) expected += in[m * K + k] * in[M * K + k * N + n];
      EXPECT_EQ(out[m * N + n], expected) << m << ", " << n;
      EXPECT_EQ(out[M * N + m * N + n], -expected) << m << ", " << n;
    }
  }
}

constexpr int kStride =
    24;  // of 32 rows in shared memory, of which a matrix takes 8 columns from column 8 on

__global__ void load_kernel(uint32_t* out, const uint16_t* in, bool transposed) {
  __shared__ __align__(16) bf16 tile[32 * kStride];
  for (int i = threadIdx.x; i < 32 * kStride; i += blockDim.x) tile[i].bits = in[i];
  __syncthreads();
  const bf16* row = tile + threadIdx.x % kWarp * kStride + 8;
  uint32_t fragments[4];
  if (transposed) {
    load_matrices_transposed(fragments, row);
  } else {
    load_matrices(fragments, row);
  }
  for (int i = 0; i < 4; ++i) out[threadIdx.x * 4 + i] = fragments[i];
}

TEST_F(Mma, LoadsMatricesAndTransposedMatrices) {
  std::vector<uint16_t> in(32 * kStride);
  for (size_t i = 0; i < in.size(); ++i) in[i] = uint16_t(i);
  for (const bool transposed : {false, true}) {
    const std::vector<uint32_t> out = run(load_kernel, 64 * 4, in, transposed);
    for (int thread = 0; thread < 64; ++thread) {
      for (int i = 0; i < 4; ++i) {
        for (int half = 0; half < 2; ++half) {
          const int group = thread % 32 / 4, second = thread % 4 * 2 + half;
          const int row = 8 * i + (transposed ? second : group), col = 8 + (transposed ? group : second);
          EXPECT_EQ(out[thread * 4 + i] >> 16 * half & 0xffff, in[row * kStride + col]) << thread << " " << i;
        }
      }
    }
  }
}

// Every third thread's 16 bytes are not inside.
__global__ void copy_kernel(float* out, const float* in) {
  __shared__ __align__(16) float tile[64 * 4];
  for (int i = 0; i < 4; ++i) tile[threadIdx.x * 4 + i] = -1;
  start_copy_16_bytes(tile + threadIdx.x * 4, in + threadIdx.x * 4, threadIdx.x % 3 != 0);
  wait_for_copies();
  __syncthreads();
  const int other = 63 - threadIdx.x;
  for (int i = 0; i < 4; ++i) out[threadIdx.x * 4 + i] = tile[other * 4 + i];
}

TEST_F(Mma, CopiesArriveAndZerosWhereThereIsNothing) {
  std::vector<float> in;
  for (int i = 0; i < 64 * 4; ++i) in.push_back(float(i + 1));
  const std::vector<float> out = run(copy_kernel, 64 * 4, in);
  for (int i = 0; i < 64 * 4; ++i) {
    const int from = (63 - i / 4) * 4 + i % 4;
    EXPECT_EQ(out[i], from / 4 % 3 != 0 ? in[from] : 0) << i;
  }
}

__global__ void exponential_kernel(float* out, const float* in) {
  out[threadIdx.x] = power_of_two(in[threadIdx.x]);
}

TEST_F(Mma, PowerOfTwoIsGoodToTwoUnitsInTheLastPlace) {
  std::vector<float> in{-INFINITY, INFINITY, NAN, 0};
  while (in.size() < 64) in.push_back(float(in.size()) * 1.37f - 60.0f);
  const std::vector<float> out = run(exponential_kernel, 64, in);
  EXPECT_EQ(out[0], 0);
  EXPECT_EQ(out[1], INFINITY);
  EXPECT_TRUE(std::isnan(out[2]));
  for (size_t i = 3; i < in.size(); ++i) {
    EXPECT_LE(std::abs(out[i] / std::exp2(double(in[i])) - 1), 2.4e-7) << in[i];
  }
}

}  // namespace
}  // namespace gpt2::cuda
