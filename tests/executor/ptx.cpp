#include "tests/executor/ptx.h"

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/executor/language.h"

namespace executor {
namespace {

constexpr unsigned kWarp = 32, kMaxThreads = 1024;

// What the lanes of a warp lay open to one another: matrices as plain arrays, each value where it belongs.
struct Exchange {
  float a[16][16], b[8][16];  // b[n][k]
  const uint16_t* rows[kWarp];
};

// A warp uses its two in turn. A lane that has its result goes on and fills the other, while slower lanes may
// still read this one; it comes back to this one only after the operation in between, for which it waits for
// them.
Exchange exchanges[kMaxThreads / kWarp][2];
unsigned turns[kMaxThreads];

struct Copy {
  void* to;
  const void* from;
  bool inside;
};
constexpr unsigned kMaxCopies = 256;
Copy copies[kMaxThreads][kMaxCopies];  // that a thread has begun
unsigned copy_counts[kMaxThreads];

unsigned thread_number() { return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z); }

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "executor: %s, block (%u,%u,%u), thread (%u,%u,%u)\n", what, blockIdx.x, blockIdx.y,
               blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z);
  std::abort();
}

void check_alignment(const void* address) {
  if (reinterpret_cast<uintptr_t>(address) % 16 != 0) die("an address that is not 16-byte aligned");
}

Exchange& next_exchange() {
  const unsigned thread = thread_number();
  return exchanges[thread / kWarp][turns[thread]++ % 2];
}

void wait_for_warp(Place where) { warp_operation(WarpOperation::sync, 0xffffffffu, 0, 0, where); }

float low(uint32_t pair) { return std::bit_cast<float>(pair << 16); }
float high(uint32_t pair) { return std::bit_cast<float>(pair & 0xffff0000u); }

void put_pair(float* to, uint32_t pair) {
  to[0] = low(pair);
  to[1] = high(pair);
}

}  // namespace

void mma_16x8x16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, Place where) {
  Exchange& warp = next_exchange();
  const int group = lane() / 4, column = lane() % 4 * 2;
  for (int i = 0; i < 4; ++i) put_pair(&warp.a[group + i % 2 * 8][column + i / 2 * 8], a[i]);
  put_pair(&warp.b[group][column], b0);
  put_pair(&warp.b[group][column + 8], b1);
  wait_for_warp(where);
  for (int i = 0; i < 4; ++i) {
    const float *row = warp.a[group + i / 2 * 8], *right = warp.b[column + i % 2];
    for (int k = 0; k < 16; ++k) d[i] += row[k] * right[k];
  }
}

void load_matrices(uint32_t (&out)[4], const void* row, bool transposed, Place where) {
  check_alignment(row);
  Exchange& warp = next_exchange();
  warp.rows[lane()] = static_cast<const uint16_t*>(row);
  wait_for_warp(where);
  const int group = lane() / 4, pair = lane() % 4 * 2;
  for (int i = 0; i < 4; ++i) {
    const uint16_t* const* rows = warp.rows + 8 * i;
    const uint16_t first = transposed ? rows[pair][group] : rows[group][pair];
    const uint16_t second = transposed ? rows[pair + 1][group] : rows[group][pair + 1];
    out[i] = first | uint32_t{second} << 16;
  }
}

void start_copy_16_bytes(void* to, const void* from, bool inside) {
  check_alignment(to);
  if (inside) check_alignment(from);
  const unsigned thread = thread_number();
  if (copy_counts[thread] == kMaxCopies) die("too many copies have begun, or nobody waits for them");
  copies[thread][copy_counts[thread]++] = {to, from, inside};
}

void wait_for_copies() {
  const unsigned thread = thread_number();
  for (unsigned i = 0; i < copy_counts[thread]; ++i) {
    const Copy& copy = copies[thread][i];
    if (copy.inside) {
      std::memcpy(copy.to, copy.from, 16);
    } else {
      std::memset(copy.to, 0, 16);
    }
  }
  copy_counts[thread] = 0;
}

}  // namespace executor
