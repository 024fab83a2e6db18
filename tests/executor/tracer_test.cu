// The tracer's counts, for kernels whose accesses one can count by hand. planted_bugs_test.cpp has the errors that it
// must find.
#include "tests/executor/tracer.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/kernels/cuda/gpu.cuh"
#include "common/kernels/embedding.h"

namespace {

using namespace gpt2;
using namespace gpt2::cuda;
using executor::Counts;

__global__ void copy(float* out, const float* in, int64_t stride) {
  out[threadIdx.x] = in[threadIdx.x * stride];
}

__global__ void copy_packed(float* out, const float* in, int64_t) {
  store_packed(out + threadIdx.x * 4, load_packed(in + threadIdx.x * 4));
}

__global__ void column_of_tile(float* out, const float* in, int64_t width) {
  GPU_DYNAMIC_SHARED(float, tile);
  tile[threadIdx.x * width] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = tile[threadIdx.x * width];
}

__global__ void one_thread(float* out, const float* in, int64_t n) {
  float sum = 0;
  if (threadIdx.x == 0) {
    for (int64_t i = 0; i < n; ++i) sum += in[i];
    *out = sum;
  }
}

__global__ void read_by_all(float* out, const float* in, int64_t) {
  __shared__ float values[32];
  for (int round = 0; round < 3; ++round) {
    values[threadIdx.x] = in[0] + float(round);
    __syncwarp();
    out[threadIdx.x] = values[0];
    __syncwarp();
  }
}

class Tracer : public testing::Test {
 protected:
  static void SetUpTestSuite() { executor::trace(); }

  // The counts of one block of `threads` threads, with `values` floats in and out.
  static Counts counts_of(void (*kernel)(float*, const float*, int64_t), int64_t threads, int64_t argument) {
    constexpr size_t values = 4096;
    float *in, *out;
    CUDA_CHECK(cudaMalloc(&in, values * sizeof(float)));
    CUDA_CHECK(cudaMalloc(&out, values * sizeof(float)));
    executor::take_counts();
    const Stream stream{{DeviceType::cuda, 0}, nullptr};
    launch(kernel, 1, threads, 40 << 10, stream, out, in, argument);
    CUDA_CHECK(cudaFree(in));
    CUDA_CHECK(cudaFree(out));
    return executor::take_counts();
  }
};

using Widths = std::array<int64_t, 5>;

TEST_F(Tracer, CountsAccessesByWidth) {
  const Counts narrow = counts_of(copy, 64, 1), wide = counts_of(copy_packed, 64, 0);
  EXPECT_EQ(narrow.loads, (Widths{0, 0, 64, 0, 0}));
  EXPECT_EQ(narrow.stores, (Widths{0, 0, 64, 0, 0}));
  EXPECT_EQ(wide.loads, (Widths{0, 0, 0, 0, 64}));
  EXPECT_EQ(wide.stores, (Widths{0, 0, 0, 0, 64}));
  EXPECT_EQ(wide.load_bytes, 64 * 16);
  EXPECT_EQ(wide.launches, 1);
}

TEST_F(Tracer, CountsTransactionsOfWarps) {
  EXPECT_EQ(counts_of(copy, 64, 1).requests, 4);                // two warps, a load and a store each
  EXPECT_EQ(counts_of(copy, 64, 1).transactions, 4 * 4);        // 128 bytes each
  EXPECT_EQ(counts_of(copy, 64, 2).transactions, 2 * 8 + 8);    // loads touch 256 bytes
  EXPECT_EQ(counts_of(copy, 64, 32).transactions, 2 * 32 + 8);  // each load a sector of its own
  EXPECT_EQ(counts_of(copy, 64, 0).transactions, 2 + 8);        // one sector for all
  EXPECT_EQ(counts_of(copy_packed, 32, 0).transactions, 16 + 16);
}

TEST_F(Tracer, CountsBankConflicts) {
  EXPECT_EQ(counts_of(column_of_tile, 32, 1).bank_conflicts, 0);
  EXPECT_EQ(counts_of(column_of_tile, 32, 33).bank_conflicts, 0);
  EXPECT_EQ(counts_of(column_of_tile, 32, 32).bank_conflicts, 2 * 31);  // the store and the load
  EXPECT_EQ(counts_of(column_of_tile, 32, 2).bank_conflicts, 2 * 1);
  EXPECT_EQ(counts_of(read_by_all, 32, 0).bank_conflicts, 0);  // one word for all lanes
  EXPECT_EQ(counts_of(column_of_tile, 32, 1).barriers, 1);
  EXPECT_EQ(counts_of(column_of_tile, 32, 1).shared_loads, 32);
}

TEST_F(Tracer, FindsTheLongestThread) {
  EXPECT_EQ(counts_of(one_thread, 128, 1000).longest_thread, 1001);
  EXPECT_EQ(counts_of(copy, 128, 1).longest_thread, 2);
}

// 13,000 rows of one id: no thread adds them all. Four floats of a row are one access; the rest is the sort.
TEST_F(Tracer, NoThreadAddsAllRowsOfAFrequentId) {
  constexpr int64_t n = 13'000, vocab = 50, C = 4;
  const int64_t workspace_floats = embedding_backward_workspace(n, vocab, C);
  float *dtable, *dy, *workspace;
  int32_t* ids;
  CUDA_CHECK(cudaMalloc(&dtable, vocab * C * sizeof(float)));
  CUDA_CHECK(cudaMalloc(&dy, n * C * sizeof(float)));
  CUDA_CHECK(cudaMalloc(&workspace, size_t(workspace_floats) * sizeof(float)));
  CUDA_CHECK(cudaMalloc(&ids, n * sizeof(int32_t)));
  CUDA_CHECK(cudaMemsetAsync(ids, 0, n * sizeof(int32_t), nullptr));
  CUDA_CHECK(cudaMemsetAsync(dy, 0, n * C * sizeof(float), nullptr));
  executor::take_counts();
  embedding_backward({{DeviceType::cuda, 0}, nullptr}, dtable, ids, dy, workspace, n, vocab, C, 0);
  EXPECT_LE(executor::take_counts().longest_thread, 1000);
  for (void* memory : {static_cast<void*>(dtable), static_cast<void*>(dy), static_cast<void*>(workspace),
                       static_cast<void*>(ids)}) {
    CUDA_CHECK(cudaFree(memory));
  }
}

}  // namespace
