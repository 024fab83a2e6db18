#include <algorithm>

#include "common/kernels/cuda/pieces.cuh"
#include "common/kernels/global_norm.h"

namespace gpt2::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int64_t kMaxBlocks = 1024;  // a few per multiprocessor; root_kernel adds this many with one block

// Block b sums groups b, b + blocks, b + 2 blocks ... of kThreads pieces each.
__global__ void squares_kernel(float* sums, const float* x, int64_t n) {
  const int64_t stride = gridDim.x * int64_t{kThreads} * kFloats;
  float sum = 0;
  for (int64_t first = first_of_thread<kFloats>(); first < n; first += stride) {
    const Piece<kFloats> piece = load_piece(x, first, n);
    for (const float value : piece.values) sum += value * value;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

__global__ void root_kernel(float* norm, const float* sums, int64_t blocks) {
  const float sum = block_sum(threadIdx.x < blocks ? sums[threadIdx.x] : 0.0f);
  if (threadIdx.x == 0) *norm = sqrtf(sum);
}

}  // namespace

int64_t global_norm_workspace(int64_t n) {
  return std::clamp<int64_t>(ceil_div(n, kThreads * kFloats), 1, kMaxBlocks);
}

void global_norm(Stream stream, float* norm, const float* x, float* workspace, int64_t n) {
  const int64_t blocks = global_norm_workspace(n);
  launch(squares_kernel, {blocks}, {kThreads}, 0, stream, workspace, x, n);
  launch(root_kernel, {1}, {kMaxBlocks}, 0, stream, norm, workspace, blocks);
}

}  // namespace gpt2::cuda
