#include "common/kernels/embedding.h"

#include <algorithm>

#include "common/kernels/cuda/pieces.cuh"

namespace gpt2::cuda {
namespace {

template <class T>
__global__ void embedding_forward_kernel(T* y, const T* table, const int32_t* ids, int64_t C) {
  constexpr int N = kPiece<T>;
  const int64_t i = blockIdx.x;
  const T* row = table + ids[i] * C;
  for (int64_t first = threadIdx.x * N; first < C; first += int64_t{blockDim.x} * N) {
    store_piece(y + i * C, first, C, Piece<N>(load_piece(row, first, C)));
  }
}

// The backward pass sums the rows of dy that have the same id, without atomics, in two launches. Positions are
// divided into tiles of 128. First each block sorts the ids of a tile and adds the rows of each id in order; the sum
// of an id goes to the workspace, and a table says where. Then each block adds the sums of a few ids, in order of the
// tiles. So a thread never adds more than 128 rows in the first launch, and one row for each tile in the second,
// however frequent an id is: of 13,000 rows with the same id, a thread adds at most 128 and then 102.
//
// For 65,536 rows of 768, the launches read 200 MB of dy, and write and read some 130 MB of sums: in a text, a tile
// has about 80 different ids.
constexpr int kTile = 128;  // fewer than 256, so that 1 + a position in a tile fits into a byte of the table
constexpr int kRowsAtOnce = 8;

// Where the sums of a tile are: row `tile * kTile + table[id * tiles + tile] - 1` of `sums`; 0 in the table: the tile
// does not have this id.
struct TileSums {
  float* sums;     // (n, C)
  uint8_t* table;  // (vocab, tiles)
  int64_t tiles;

  TileSums(float* workspace, int64_t n, int64_t C)
      : sums(workspace), table(reinterpret_cast<uint8_t*>(workspace + n * C)), tiles(ceil_div(n, kTile)) {}
};

// The ids of a tile in ascending order, and their positions in the tile; equal ids in the order of the positions.
struct SortedTile {
  int32_t ids[kTile];
  int32_t positions[kTile];

  // Sorts by counting how many of the others come before. All threads of the block must call it.
  __device__ void fill(const int32_t* tile, int count) {
    __shared__ int32_t unsorted[kTile];
    const int self = threadIdx.x;
    if (self < count) unsorted[self] = tile[self];
    __syncthreads();
    if (self < count) {
      const int32_t id = unsorted[self];
      int before = 0;
      for (int i = 0; i < count; ++i) before += unsorted[i] < id || (unsorted[i] == id && i < self);
      ids[before] = id;
      positions[before] = self;
    }
    __syncthreads();
  }
  __device__ bool is_last_of_id(int i, int count) const { return i + 1 == count || ids[i + 1] != ids[i]; }
};

template <class T>
__global__ void sum_tiles_kernel(TileSums to, const int32_t* ids, const T* dy, int64_t n, int64_t C) {
  __shared__ SortedTile sorted;
  const int64_t begin = blockIdx.x * int64_t{kTile};
  const int count = int(min(n - begin, int64_t{kTile})), self = threadIdx.x;
  sorted.fill(ids + begin, count);
  if (blockIdx.y == 0 && self < count && sorted.is_last_of_id(self, count)) {
    to.table[sorted.ids[self] * to.tiles + blockIdx.x] = uint8_t(self + 1);
  }
  const int64_t first = (blockIdx.y * int64_t{blockDim.x} + threadIdx.x) * kFloats;
  if (first >= C) return;
  Piece<kFloats> sum{};
  for (int i = 0; i < count; i += kRowsAtOnce) {
    Values<T, kFloats> rows[kRowsAtOnce];
    for (int r = 0; r < kRowsAtOnce && i + r < count; ++r) {
      rows[r] = load_piece<kFloats>(dy + (begin + sorted.positions[i + r]) * C, first, C);
    }
    for (int r = 0; r < kRowsAtOnce && i + r < count; ++r) {
      for (int k = 0; k < kFloats; ++k) sum[k] += rows[r][k];
      if (!sorted.is_last_of_id(i + r, count)) continue;
      store_piece(to.sums + (begin + i + r) * C, first, C, sum);
      sum = {};
    }
  }
}

// The rows of the sums of one id, in order of the tiles; at most one for each thread of the block.
struct TileList {
  int64_t rows[kBlock];
  unsigned found[kBlock / kWarp];  // a bit for each tile

  // Lists those of the tiles from `tile` on, one for each thread. All threads get their number as the result.
  __device__ int fill(const TileSums& from, int64_t id, int64_t tile) {
    const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
    tile += threadIdx.x;
    const int at = tile < from.tiles ? from.table[id * from.tiles + tile] : 0;
    const unsigned bits = __ballot_sync(kAllLanes, at != 0);
    if (lane == 0) found[warp] = bits;
    if (!__syncthreads_or(at != 0)) return 0;
    int count = 0, before = 0;
    for (int w = 0; w < warps; ++w) {
      if (w == warp) before = count;
      count += __popc(found[w]);
    }
    if (at != 0) rows[before + __popc(bits & ((1u << lane) - 1))] = tile * kTile + at - 1;
    __syncthreads();
    return count;
  }
};

constexpr int kIds = 8;  // per block: most ids do not occur, and such a block has little to do

// dtable[id] = beta * dtable[id] + the sums of all tiles
template <class T>
__global__ void add_tiles_kernel(T* dtable, TileSums from, int64_t vocab, int64_t C, float beta) {
  __shared__ TileList list;
  const int64_t first = (blockIdx.y * int64_t{blockDim.x} + threadIdx.x) * kFloats;
  for (int64_t id = blockIdx.x * int64_t{kIds}; id < min((blockIdx.x + 1) * int64_t{kIds}, vocab); ++id) {
    Piece<kFloats> sum{};
    bool any = false;
    for (int64_t tile = 0; tile < from.tiles; tile += blockDim.x) {
      const int count = list.fill(from, id, tile);
      any = any || count > 0;
      for (int i = 0; i < count; i += kRowsAtOnce) {
        Values<float, kFloats> rows[kRowsAtOnce];
        for (int r = 0; r < kRowsAtOnce && i + r < count; ++r) {
          rows[r] = load_piece(from.sums + list.rows[i + r] * C, first, C);
        }
        for (int r = 0; r < kRowsAtOnce && i + r < count; ++r) {
          for (int k = 0; k < kFloats; ++k) sum[k] += rows[r][k];
        }
      }
      __syncthreads();  // before the next list
    }
    if (!any && beta == 1) continue;  // its gradient stays the same
    if (beta != 0) {
      const Piece<kFloats> old = load_piece<kFloats>(dtable + id * C, first, C);
      for (int k = 0; k < kFloats; ++k) sum[k] += beta * old[k];
    }
    store_piece(dtable + id * C, first, C, sum);
  }
}

}  // namespace

template <class T>
void embedding_forward(Stream stream, T* y, const T* table, const int32_t* ids, int64_t n, int64_t C) {
  launch(embedding_forward_kernel<T>, {n}, {threads_for_row<kPiece<T>>(C, kBlock)}, 0, stream, y, table, ids,
         C);
}

int64_t embedding_backward_workspace(int64_t n, int64_t vocab, int64_t C) {
  return n * C + ceil_div(vocab * ceil_div(n, kTile), int64_t{sizeof(float)});
}

template <class T>
void embedding_backward(Stream stream, T* dtable, const int32_t* ids, const T* dy, float* workspace,
                        int64_t n, int64_t vocab, int64_t C, float beta) {
  const TileSums sums(workspace, n, C);
  const int64_t blocks_y = ceil_div(C, kBlock * kFloats),
                threads = std::max<int64_t>(threads_for_row<kFloats>(C, kBlock), kTile);
  if (n > 0) {
    CUDA_CHECK(
        cudaMemsetAsync(sums.table, 0, size_t(vocab * sums.tiles), static_cast<cudaStream_t>(stream.handle)));
    launch(sum_tiles_kernel<T>, {sums.tiles, blocks_y}, {threads}, 0, stream, sums, ids, dy, n, C);
  }
  launch(add_tiles_kernel<T>, {ceil_div(vocab, kIds), blocks_y}, {threads}, 0, stream, dtable, sums, vocab, C,
         beta);
}

template void embedding_forward(Stream, float*, const float*, const int32_t*, int64_t, int64_t);
template void embedding_forward(Stream, bf16*, const bf16*, const int32_t*, int64_t, int64_t);
template void embedding_backward(Stream, float*, const int32_t*, const float*, float*, int64_t, int64_t,
                                 int64_t, float);
template void embedding_backward(Stream, bf16*, const int32_t*, const bf16*, float*, int64_t, int64_t,
                                 int64_t, float);

}  // namespace gpt2::cuda
