#include "common/kernels/embedding.h"

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

__global__ void embedding_forward_kernel(float* y, const float* table, const int32_t* ids, int64_t C) {
  const int64_t i = blockIdx.x;
  const float* row = table + ids[i] * C;
  for (int64_t first = threadIdx.x * kFloats; first < C; first += int64_t{blockDim.x} * kFloats) {
    store_piece(y + i * C, first, C, Piece<kFloats>(load_piece(row, first, C)));
  }
}

// The backward pass sums the rows of dy that have the same id, in the order of the rows, without atomics.
// Each block owns a slice of the ids (id % number of slices == block number) and one column per thread; the
// sums are in shared memory. The block goes through all ids, one tile at a time, and adds the rows whose ids
// it owns. Slices are interleaved, because frequent tokens have neighbouring ids.
//
// For 16,384 rows of 768 and a vocabulary of 50257, each of 6,144 blocks reads the 64 KB of ids from the L2
// cache; together they also read 50 MB of dy and the table. The rows of one token are added one after
// another, with eight loads in flight. A token that is 5% of the text keeps its blocks busy for about 0.1 ms,
// while the other blocks run.
constexpr int kSums = 32;    // ids per block; 32 KB of sums
constexpr int kTile = 1024;  // ids that are examined between two barriers
constexpr int kRowsAtOnce = 8;

struct Matches {
  unsigned bits[kTile / kWarp];  // one for each id of the tile
  int32_t rows[kTile];           // the rows whose ids are this block's, in order
};

// Lists the rows of the tile whose ids this block owns. All threads get their number as the result.
__device__ int find_matches(Matches& matches, const int32_t* ids, int64_t tile, int64_t n) {
  constexpr int kRounds = kTile / kBlock;  // a warp examines kRounds * 32 consecutive ids
  const int lane = threadIdx.x % kWarp, word = threadIdx.x / kWarp * kRounds;
  unsigned bits[kRounds];
  bool any = false;
  for (int r = 0; r < kRounds; ++r) {
    const int64_t i = tile + (word + r) * kWarp + lane;
    const bool ours = i < n && (ids[i] & (gridDim.x - 1)) == blockIdx.x;
    any = any || ours;
    bits[r] = __ballot_sync(kAllLanes, ours);
    if (lane == 0) matches.bits[word + r] = bits[r];
  }
  if (!__syncthreads_or(any)) return 0;  // the most common case
  int count = 0, position = 0;           // matches in the whole tile; matches before this warp's ids
  for (int w = 0; w < kTile / kWarp; ++w) {
    if (w == word) position = count;
    count += __popc(matches.bits[w]);
  }
  for (int r = 0; r < kRounds; ++r) {
    const int row = position + __popc(bits[r] & ((1u << lane) - 1));
    if (bits[r] >> lane & 1) matches.rows[row] = int32_t(tile + (word + r) * kWarp + lane);
    position += __popc(bits[r]);
  }
  __syncthreads();
  return count;
}

// Adds this thread's column of the listed rows, one row after another, to the sums of their ids.
__device__ void add_rows(float (&sums)[kSums][kBlock], const Matches& matches, int count, const int32_t* ids,
                         const float* dy_column, int64_t C) {
  const int slice_bits = __ffs(int(gridDim.x)) - 1;
  for (int match = 0; match < count; match += kRowsAtOnce) {
    float values[kRowsAtOnce];
    int sum[kRowsAtOnce];
    for (int r = 0; r < kRowsAtOnce; ++r) {
      const int64_t row = matches.rows[min(match + r, count - 1)];
      values[r] = dy_column[row * C];
      sum[r] = ids[row] >> slice_bits;
    }
    for (int r = 0; r < kRowsAtOnce; ++r) {
      if (match + r < count) sums[sum[r]][threadIdx.x] += values[r];
    }
  }
}

__global__ void embedding_backward_kernel(float* dtable, const int32_t* ids, const float* dy, int64_t n,
                                          int64_t vocab, int64_t C, float beta) {
  __shared__ float sums[kSums][kBlock];  // each thread uses its own column, so no barrier is needed
  __shared__ Matches matches;
  const int64_t column = blockIdx.y * int64_t{kBlock} + threadIdx.x;
  for (int s = 0; s < kSums; ++s) sums[s][threadIdx.x] = 0;
  for (int64_t tile = 0; tile < n; tile += kTile) {
    const int count = find_matches(matches, ids, tile, n);
    if (count == 0) continue;
    if (column < C) add_rows(sums, matches, count, ids, dy + column, C);
    __syncthreads();  // before the next tile's matches
  }
  if (column >= C) return;
  for (int64_t s = 0, id = blockIdx.x; id < vocab; ++s, id += gridDim.x) {
    const float sum = sums[s][threadIdx.x];
    if (beta == 1 && sum == 0) continue;  // most ids do not occur; their gradient stays the same
    float& gradient = dtable[id * C + column];
    gradient = beta == 0 ? sum : beta * gradient + sum;
  }
}

// A power of two, so that a block finds its ids by their lower bits.
int64_t slices_of(int64_t vocab) {
  int64_t slices = 1;
  while (slices * kSums < vocab) slices *= 2;
  return slices;
}

}  // namespace

void embedding_forward(Stream stream, float* y, const float* table, const int32_t* ids, int64_t n,
                       int64_t C) {
  launch(embedding_forward_kernel, {n}, {threads_for_row<kFloats>(C, kBlock)}, 0, stream, y, table, ids, C);
}

void embedding_backward(Stream stream, float* dtable, const int32_t* ids, const float* dy, int64_t n,
                        int64_t vocab, int64_t C, float beta) {
  launch(embedding_backward_kernel, {slices_of(vocab), ceil_div(C, kBlock)}, {kBlock}, 0, stream, dtable, ids,
         dy, n, vocab, C, beta);
}

}  // namespace gpt2::cuda
